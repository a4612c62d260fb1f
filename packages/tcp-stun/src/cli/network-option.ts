import { InvalidArgumentError } from 'commander'
import { networkMatcher } from 'libp2p-tcp-stun/server'
import { markAsList } from './options.ts'

/**
 * A network like 10.0.0.0/8, several times
 */
export function network (text: string, previous: string[] = []): string[] {
  try {
    networkMatcher([text])
  } catch (err: any) {
    throw new InvalidArgumentError(`${err.message}.`)
  }

  return [...previous, text]
}

markAsList(network)
