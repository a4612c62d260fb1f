import { mappingsOf } from '../../listen/public-mapping.ts'
import { toIPEndpoint } from '../../multiaddr/net-config.ts'
import { parseSTUNURI } from '../../stun/uri.ts'
import type { Endpoint } from '../../address/endpoint.ts'
import type { ListeningPort } from '../../listen/listening-ports.ts'
import type { PublicMapping } from '../../mapping/mapping.ts'
import type { Listener } from '@libp2p/interface'

/**
 * Every destination sees the same public address of our listening port
 */
export interface EasyOwnSide {
  side: 'easy'
  local: ListeningPort
  external: Endpoint

  /**
   * The hosts of the STUN servers
   */
  servers: string[]
}

/**
 * Every destination sees another one
 */
export interface HardOwnSide {
  side: 'hard'
  mapping: PublicMapping

  /**
   * The hosts of the STUN servers
   */
  servers: string[]
}

export type OwnSide = EasyOwnSide | HardOwnSide

/**
 * Which side of a hard punch this node can be, by the mappings of its listeners on IPv4.
 * With several listeners, one easy is enough.
 */
export function ownSide (listeners: Listener[]): OwnSide | undefined {
  const sides = mappingsOf(listeners).flatMap(mapping => sideOf(mapping) ?? [])

  return sides.find(({ side }) => side === 'easy') ?? sides[0]
}

function sideOf (mapping: PublicMapping): OwnSide | undefined {
  const { status } = mapping
  const local = toIPEndpoint(status.listener)

  if (local?.family !== 4) {
    return
  }

  if (status.state === 'mapped' || status.state === 'direct') {
    const external = toIPEndpoint(status.external)

    return external == null
      ? undefined
      : {
          side: 'easy',
          local,
          external: { host: external.host, port: external.port },
          servers: hostsOf(status.servers)
        }
  }

  // with a pool of addresses nobody knows which one a connect would have
  if (status.state === 'endpoint-dependent' && !status.isPooled) {
    return { side: 'hard', mapping, servers: hostsOf(status.addresses.map(({ server }) => server)) }
  }
}

function hostsOf (servers: string[]): string[] {
  return servers.map(uri => parseSTUNURI(uri).host)
}
