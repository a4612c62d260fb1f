import { formatEndpoint } from '../address/endpoint.ts'
import { STUNConnectionError } from '../stun/errors.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * How a connection to a server ended:
 *
 * - `held`: by the server, after so many ms
 * - `failed`: the server gave no useful answer
 * - `rejected`: the server's answer was outvoted
 * - `occupied`: the system still has an earlier connection to the server in
 * TIME_WAIT. The server was not reached.
 * - `unused`: by us
 * - `unasked`: by us, before it was asked anything
 */
export type Outcome = { type: 'held', ms: number } | { type: 'failed' | 'rejected' | 'occupied' | 'unused' | 'unasked' }

/**
 * A connection that has ended
 */
interface Ended {
  /**
   * Whether it was ended from this side
   */
  dropped: boolean

  /**
   * Whether the server was sent a request
   */
  asked: boolean

  /**
   * When the server gave its first answer, by the clock in ms
   */
  since?: number
}

export function outcomeOf ({ dropped, asked, since }: Ended, err: Error, now: number): Outcome {
  if (dropped) {
    return { type: asked ? 'unused' : 'unasked' }
  }

  // most servers hang up after a while: nothing to complain of
  if (since != null && err instanceof STUNConnectionError) {
    return { type: 'held', ms: now - since }
  }

  return { type: isTimeWait(err) ? 'occupied' : 'failed' }
}

/**
 * What to report of an end, nothing when no one is to blame
 */
export function failureOf ({ type }: Outcome, err: Error, server: string, local: Endpoint): Error | undefined {
  switch (type) {
    case 'failed':
      return err
    case 'occupied':
      return new STUNConnectionError(
        `Could not connect to ${server} from ${formatEndpoint(local)}: an earlier connection is in TIME_WAIT, up ` +
          'to 60 s',
        { cause: err }
      )
    default:
  }
}

/**
 * Whether the system refused the connection because it still knows an earlier one
 * between the same two endpoints. A process that is killed leaves its connections in
 * TIME_WAIT for 60 s. Linux allows a new one earlier only to a server that sends TCP
 * timestamps.
 */
function isTimeWait ({ cause }: Error): boolean {
  return (
    cause instanceof Error &&
    'code' in cause &&
    cause.code === 'EADDRNOTAVAIL' &&
    'syscall' in cause &&
    cause.syscall === 'connect'
  )
}
