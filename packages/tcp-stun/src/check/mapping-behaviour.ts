import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { findConsensus } from 'libp2p-tcp-stun/stun'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * The address that one endpoint of a STUN server sees
 */
export interface View {
  /**
   * The URI of the server. It may have several endpoints.
   */
  server: string

  /**
   * The endpoint that was asked
   */
  endpoint: Endpoint

  /**
   * The mapped address
   */
  external: Endpoint
}

/**
 * RFC 4787, section 4.1. `endpoint-dependent` when no address was asked at two
 * ports, so that it is not known whether the port matters. `unknown` when servers
 * at only one address have answered.
 */
export type MappingBehaviour =
  'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent' | 'endpoint-dependent' | 'unknown'

export interface Mapping {
  behaviour: MappingBehaviour

  /**
   * The address that every peer sees, when there is one
   */
  external?: Endpoint

  /**
   * Answers that the others outvote. They are reported, but not believed.
   */
  dissenters: View[]
}

/**
 * RFC 5780, section 4.3, over all endpoints that were asked from one local port.
 * The transport decides by the same rule what to announce.
 */
export function findMapping (views: View[]): Mapping {
  const consensus = findConsensus(views.map(({ server, endpoint, external }) => ({
    server: formatEndpoint(endpoint),
    origin: server,
    host: endpoint.host,
    external: formatEndpoint(external)
  })))

  if (consensus.verdict === 'agreed') {
    return {
      behaviour: consensus.behaviour,
      external: views.find(({ external }) => formatEndpoint(external) === consensus.external)?.external,
      dissenters: views.filter(({ external }) => formatEndpoint(external) !== consensus.external)
    }
  }

  return { behaviour: views.length === 0 ? 'unknown' : findDependence(views), dissenters: [] }
}

/**
 * The views differ: do they differ at one address too?
 */
function findDependence (views: View[]): MappingBehaviour {
  const hosts = [...Map.groupBy(views, ({ endpoint }) => endpoint.host).values()].filter(views => views.length > 1)

  if (hosts.some(views => new Set(views.map(({ external }) => formatEndpoint(external))).size > 1)) {
    return 'address-and-port-dependent'
  }

  return hosts.length > 0 ? 'address-dependent' : 'endpoint-dependent'
}
