import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * A STUN server that could not be used, and why. The error is one of
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
   * The last failure of each server that has no answer since
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
   * The local address that the connections to the servers have, `/ip4/192.168.1.2/tcp/4001`
   */
  local: Multiaddr

  /**
   * The mapping behaviour of the NAT (RFC 5382, section 4.1) as far as it is
   * known: one server alone can not tell, with a peer that sees the same it can
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
 * The NAT gives every endpoint another mapping: no peer could use any of them
 */
export interface EndpointDependentStatus extends Status {
  state: 'endpoint-dependent'

  /**
   * What each server sees, the addresses differ
   */
  addresses: Array<{ server: string, external: Multiaddr }>

  /**
   * Where one server alone could not tell: the peers that see other addresses, by
   * their IP addresses. Else there are none.
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
 * The platform can not share a port between a listener and a STUN connection
 */
export interface UnsupportedStatus extends Status {
  state: 'unsupported'

  reason: Error
}

/**
 * What is known of the external address of a listener
 */
export type MappingStatus = AcquiringStatus | MappedStatus | DirectStatus | EndpointDependentStatus | LostStatus | UnsupportedStatus

/**
 * The address that peers can be told, if there is one
 */
export function externalOf (status: MappingStatus): Multiaddr | undefined {
  return 'external' in status ? status.external : undefined
}

/**
 * Whether a user would see no difference: times do not count
 */
export function isSameStatus (a: MappingStatus, b: MappingStatus): boolean {
  return summary(a) === summary(b)
}

function summary (status: MappingStatus): string {
  return JSON.stringify([
    status.state,
    status.listener,
    status.failures.map(({ server, error }) => [server, error.name, error.message]),
    'external' in status ? [status.external, status.local, status.behaviour, [...status.servers].sort()] : null,
    'addresses' in status ? [status.addresses.map(({ server, external }) => [server, external]), status.peers.map(({ host, external }) => [host, external])] : null,
    'reason' in status ? [status.reason.name, status.reason.message] : null
  ])
}
