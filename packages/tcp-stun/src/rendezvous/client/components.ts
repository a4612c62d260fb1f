import type {
  AbortOptions, ComponentLogger, Connection, Libp2pEvents, Peer, PeerData, PeerId, PrivateKey
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'

/**
 * What the service uses of libp2p's components
 */
export interface RendezvousClientComponents {
  peerId: PeerId
  privateKey: PrivateKey
  logger: ComponentLogger
  events: TypedEventTarget<Libp2pEvents>
  addressManager: {
    getAddresses(): Multiaddr[]
  }
  connectionManager: {
    openConnection(addresses: Multiaddr[], options?: AbortOptions): Promise<Connection>
  }
  peerStore: {
    get(peer: PeerId, options?: AbortOptions): Promise<Peer>
    patch(peer: PeerId, data: PeerData, options?: AbortOptions): Promise<Peer>
    merge(peer: PeerId, data: PeerData, options?: AbortOptions): Promise<Peer>
  }
}
