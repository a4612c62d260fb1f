import type { Endpoint } from '../address/endpoint.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * A STUN server that failed, and why. The error is one of
 * `STUNTimeoutError`, `STUNProtocolError`, `STUNErrorResponseError`,
 * `STUNConnectionError`, `STUNResolveError`, `InvalidMappedAddressError`, ...
 */
export interface ServerFailure {
  /**
   * The server's URI as it was configured
   */
  server: string

  error: Error

  /**
   * When it failed, ms since the epoch
   */
  time: number
}

interface Status {
  /**
   * The listener's multiaddr with its real port, `/ip4/0.0.0.0/tcp/4001`
   */
  listener: Multiaddr

  /**
   * How often connections are kept alive, in ms: as configured, or more often when
   * the NAT was seen to forget the mapping sooner
   */
  keepAliveInterval: number

  /**
   * The last failure of each server that has not answered since
   */
  failures: ServerFailure[]
}

/**
 * No server has answered yet
 */
export interface AcquiringStatus extends Status {
  state: 'acquiring'
}

/**
 * A NAT maps the port, and every server that is asked sees it the same way
 */
export interface MappedStatus extends Status {
  state: 'mapped'

  /**
   * The address that the servers see, `/ip4/1.2.3.4/tcp/50123`
   */
  external: Multiaddr

  /**
   * The same as IP address and port, `{ host: '1.2.3.4', port: 50123 }`
   */
  endpoint: Endpoint

  /**
   * The local address that the connections to the servers have, `/ip4/192.168.1.2/tcp/4001`
   */
  local: Multiaddr

  /**
   * The mapping behaviour of the NAT (RFC 5382, section 4.1) as far as it is
   * known: one server alone cannot show it, together with a peer it can
   */
  behaviour: 'endpoint-independent' | 'unknown'

  /**
   * The URIs of the servers that agree
   */
  servers: string[]

  /**
   * When the external address was first seen, ms since the epoch
   */
  since: number
}

/**
 * There is no NAT: the external address is the local one
 */
export interface DirectStatus extends Omit<MappedStatus, 'state'> {
  state: 'direct'
}

/**
 * Connections have different addresses, so that no address can be announced. The
 * mapping of the NAT depends on the destination (symmetric NAT), or it draws one of
 * several public addresses for each connection, or a server lies and it is not known
 * which.
 */
export interface EndpointDependentStatus extends Status {
  state: 'endpoint-dependent'

  /**
   * Whether earlier addresses come back: the NAT draws from a pool (RFC 4787,
   * section 4.1: "IP address pooling" is "arbitrary")
   */
  isPooled: boolean

  /**
   * What each server sees
   */
  addresses: Array<{ server: string, external: Multiaddr }>

  /**
   * The peers that contradict a server, with their IP addresses. Empty when the
   * servers contradict each other.
   */
  peers: Array<{ host: string, external: Multiaddr }>
}

/**
 * No server can be asked any more, or none ever could. The search goes on.
 */
export interface LostStatus extends Status {
  state: 'lost'

  /**
   * Why: the server's error when there is one server, else an `AllServersFailedError`
   */
  reason: Error
}

/**
 * The platform cannot share a port between a listener and a STUN connection
 */
export interface UnsupportedStatus extends Status {
  state: 'unsupported'

  reason: Error
}

/**
 * The external address of a listener, or why there is none
 */
export type MappingStatus =
  AcquiringStatus | MappedStatus | DirectStatus | EndpointDependentStatus | LostStatus | UnsupportedStatus

/**
 * The address to announce to peers, if there is one
 */
export function externalOf (status: MappingStatus): Multiaddr | undefined {
  return 'external' in status ? status.external : undefined
}

/**
 * Whether the two look the same to a user. Times do not count.
 */
export function isSameStatus (a: MappingStatus, b: MappingStatus): boolean {
  return summary(a) === summary(b)
}

function summary (status: MappingStatus): string {
  return JSON.stringify([
    status.state,
    status.listener,
    status.keepAliveInterval,
    status.failures.map(({ server, error }) => [server, error.name, error.message]),
    'external' in status ? [status.external, status.local, status.behaviour, [...status.servers].sort()] : null,
    'addresses' in status
      ? [
          status.isPooled,
          status.addresses.map(({ server, external }) => [server, external]),
          status.peers.map(({ host, external }) => [host, external])
        ]
      : null,
    'reason' in status ? [status.reason.name, status.reason.message] : null
  ])
}
