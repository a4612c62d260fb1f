import { multiaddr } from '@multiformats/multiaddr'
import { toIPEndpoint, toMultiaddr } from '../multiaddr/net-config.ts'
import { STUNTimeoutError } from '../stun/errors.ts'
import { NoSTUNServersError } from './errors.ts'
import { externalOf } from './status.ts'
import type { Outcome } from './decision.ts'
import type { MappedStatus, MappingStatus, ServerFailure } from './status.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

export interface StatusContext {
  listener: Multiaddr
  keepAliveInterval: number
  failures: ServerFailure[]

  /**
   * Why there is no address, as far as servers have failed
   */
  failure?: Error

  /**
   * The date in ms since the epoch
   */
  date: number
}

/**
 * What a user is told of an outcome
 */
export function toStatus (
  outcome: Outcome,
  previous: MappingStatus,
  { listener, keepAliveInterval, failures, failure, date }: StatusContext
): MappingStatus {
  const base = { listener, keepAliveInterval, failures }

  switch (outcome.state) {
    case 'mapped': {
      const { external, behaviour, local, servers } = outcome
      const before = 'external' in previous && previous.external.toString() === external ? previous : undefined
      const localAddr = toMultiaddr(local)
      const isDirect = external === localAddr.toString()

      return {
        ...base,
        state: isDirect ? 'direct' : 'mapped',
        ...(before == null ? toAddress(external) : { external: before.external, endpoint: before.endpoint }),
        local: localAddr,
        behaviour,
        servers,
        since: before?.since ?? date
      }
    }
    case 'endpoint-dependent':
      return {
        ...base,
        state: 'endpoint-dependent',
        isPooled: outcome.isPooled,
        addresses: outcome.answers.map(({ server, external }) => ({ server, external: multiaddr(external) })),
        peers: outcome.peers.map(({ host, external }) => ({ host, external: multiaddr(external) }))
      }
    case 'lost':
      return { ...base, state: 'lost', reason: failure ?? noServer(previous) }
    case 'acquiring':
      // until there is an address again, the last one is lost
      return previous.state === 'lost' ? { ...previous, ...base } : { ...base, state: 'acquiring' }
    default:
      return { ...previous, ...base }
  }
}

function toAddress (external: string): Pick<MappedStatus, 'external' | 'endpoint'> {
  const ma = multiaddr(external)
  const { host = '', port = 0 } = toIPEndpoint(ma) ?? {}

  return { external: ma, endpoint: { host, port } }
}

function noServer (previous: MappingStatus): Error {
  return externalOf(previous) == null
    ? new NoSTUNServersError('No STUN server is configured')
    : new STUNTimeoutError('No STUN server could be asked for two keep-alive intervals')
}
