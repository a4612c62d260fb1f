import { NoSTUNServersError } from './errors.ts'
import type { MappingStatus } from './status.ts'
import type { ComponentLogger, Logger } from '@libp2p/interface'

/**
 * One log for all mappings of a logger: each takes 2.6 kB
 */
const logs = new WeakMap<ComponentLogger, Logger>()

export function mappingLog (logger: ComponentLogger): Logger {
  const log = logs.get(logger) ?? logger.forComponent('libp2p:tcp-stun:mapping')
  logs.set(logger, log)

  return log
}

/**
 * Say what an operator wants to know of a status that is another one than before
 */
export function logStatus (status: MappingStatus, log: Logger | undefined): void {
  const { listener, state } = status

  switch (state) {
    case 'mapped':
      log?.('%a is mapped to %a', listener, status.external)
      break
    case 'direct':
      log?.('%a is not translated by a NAT, its public address is %a', listener, status.external)
      break
    case 'endpoint-dependent':
      log?.(
        '%a has no public address: the NAT %s',
        listener,
        status.isPooled
          ? 'draws one of several addresses for each connection'
          : 'maps it to another port for every destination (symmetric NAT)'
      )
      break
    case 'acquiring':
      log?.trace('%a has no public address yet', listener)
      break
    default:
      if (status.reason instanceof NoSTUNServersError) {
        log?.('%a looks for no public address: stunServers is empty', listener)
      } else {
        log?.error('%a has no public address - %e', listener, status.reason)
      }
  }
}
