import type {
  ComponentLogger, Connection, ConnectionProtector, Libp2pEvents, Metrics, PeerId, Upgrader
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'

/**
 * An address as libp2p's `AddressManager` knows it
 */
export interface NodeAddress {
  multiaddr: Multiaddr
  verified: boolean

  /**
   * Where it comes from: `transport`, `observed`, `announce`, `ip-mapping`, `dns-mapping`
   */
  type?: string

  /**
   * When it has to be verified again, ms since the epoch
   */
  expires: number
}

/**
 * What this transport uses of libp2p's `AddressManager`
 */
export interface ObservedAddresses {
  getAddressesWithMetadata(): NodeAddress[]

  /**
   * Announce the address for `ttl` ms
   */
  confirmObservedAddr(address: Multiaddr, options?: { type?: 'transport', ttl?: number }): void

  /**
   * Announce the address no longer, and have it verified again after `ttl` ms
   */
  removeObservedAddr(address: Multiaddr, options?: { ttl?: number }): void
}

/**
 * What this transport uses of libp2p's `ConnectionManager`
 */
export interface OpenConnections {
  getConnections(): Connection[]
}

/**
 * What this transport uses of libp2p's `Registrar`
 */
export interface RegisteredProtocols {
  getProtocols(): string[]
}

/**
 * Only the logger is needed: without an address manager nothing is announced
 *
 * The types of `@libp2p/interface-internal` would bring its dependencies, key
 * pairs and all, which nothing here runs.
 */
export interface TCPSTUNComponents {
  logger: ComponentLogger

  /**
   * Lets `natStatus` find the transport
   */
  peerId?: PeerId
  metrics?: Metrics
  addressManager?: ObservedAddresses
  connectionManager?: OpenConnections
  events?: TypedEventTarget<Libp2pEvents>
  upgrader?: Upgrader
  connectionProtector?: ConnectionProtector
  registrar?: RegisteredProtocols
}
