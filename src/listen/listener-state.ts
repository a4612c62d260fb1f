import type { ListeningPort } from './listening-ports.ts'
import type { NetConfig } from '../multiaddr/net-config.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * - `idle`: not listening yet
 * - `opening`: about to listen, for the first time or after a pause
 * - `listening`: accepts connections
 * - `paused`: there are too many connections
 * - `closed`: for good
 */
export type ListenerState =
  { name: 'idle' | 'closed', port?: undefined } |
  OpenState

export interface OpenState {
  name: 'opening' | 'listening' | 'paused'
  listenAddr: Multiaddr
  config: NetConfig

  /**
   * Unix sockets have none
   */
  port?: ListeningPort
}
