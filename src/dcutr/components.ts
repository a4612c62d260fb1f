import type {
  AbortOptions, ComponentLogger, Connection, ConnectionGater, ConnectionProtector, Libp2pEvents, Listener, Metrics,
  PeerId, StreamHandler, StreamHandlerOptions, Transport
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'

/**
 * What the service uses of libp2p's `TransportManager`
 */
export interface DirectDialer {
  dial(ma: Multiaddr, options?: AbortOptions & { onProgress?(event: { type: string }): void }): Promise<Connection>
  getListeners(): Listener[]
  getTransports?(): Transport[]
}

/**
 * What the service uses of libp2p's components
 */
export interface DCUtRComponents {
  addressManager: {
    getAddresses(): Multiaddr[]
  }
  connectionGater?: ConnectionGater
  connectionProtector?: ConnectionProtector
  connectionManager: {
    getConnections(peer?: PeerId): Connection[]
  }
  events: TypedEventTarget<Libp2pEvents>
  logger: ComponentLogger
  metrics?: Metrics
  registrar: {
    handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>
    unhandle(protocol: string): Promise<void>
  }
  transportManager: DirectDialer
}
