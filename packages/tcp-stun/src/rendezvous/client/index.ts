/**
 * Finds the other peers of a network on the boards of its helpers, and registers this node
 * there, so that the others find it. Speaks the rendezvous protocol of libp2p,
 * `/rendezvous/1.0.0`, also with servers of other implementations. Runs in browsers.
 *
 * It is a service of a libp2p node and a peer discovery: what it finds goes to the peer
 * store, with addresses that the peers have signed, and to the event `peer:discovery`.
 * Nobody is dialled.
 *
 * @see https://github.com/libp2p/specs/blob/master/rendezvous/README.md
 *
 * @example
 *
 * ```TypeScript
 * import { noise } from '@libp2p/noise'
 * import { yamux } from '@libp2p/yamux'
 * import { createLibp2p } from 'libp2p'
 * import { tcpSTUN } from 'libp2p-tcp-stun'
 * import { rendezvousClient } from 'tcp-stun/rendezvous-client'
 *
 * const node = await createLibp2p({
 *   addresses: { listen: ['/ip4/0.0.0.0/tcp/0'] },
 *   transports: [tcpSTUN()],
 *   connectionEncrypters: [noise()],
 *   streamMuxers: [yamux()],
 *   services: {
 *     board: rendezvousClient({
 *       servers: ['/dns4/helper.example.org/tcp/4001/p2p/12D3KooWJoYgWfTBrjUmuE2rZbzJzBrn4DSgFXbXYfsKmCrDAQ3H'],
 *       namespaces: ['my-app']
 *     })
 *   }
 * })
 *
 * node.addEventListener('peer:discovery', ({ detail }) => {
 *   console.info('found', detail.id.toString(), 'at', detail.multiaddrs.map(String))
 * })
 * ```
 *
 * @module tcp-stun/rendezvous-client
 */

import { RendezvousClientService } from './service.ts'
import type { RendezvousClientComponents } from './components.ts'
import type { AbortOptions, PeerDiscoveryEvents, PeerDiscoveryProvider, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'

export interface RendezvousClientInit {
  /**
   * The addresses of the helpers. Those that end in the same peer id are one helper. All
   * helpers are used at once.
   */
  servers: Array<string | Multiaddr>

  /**
   * Finds the addresses of the helpers anew. It is called every hour, when a helper does not
   * answer (once a minute at most), and soon if `servers` is empty. Helpers that are not among
   * its addresses are no longer used; when it rejects nothing changes.
   *
   * @default the servers stay the same
   */
  lookUp?(options: AbortOptions): Promise<Multiaddr[]>

  /**
   * Under which names the peers of the network register, of at most 255 bytes
   */
  namespaces: string[]

  /**
   * How long a registration lasts that is not refreshed, in s. It is refreshed after half
   * of that time.
   *
   * @default 7_200
   */
  ttl?: number

  /**
   * How long to wait between two requests, in ms, with a server that cannot tell when there
   * is something new. Our own can.
   *
   * @default 2_500
   */
  pollInterval?: number

  /**
   * Whether peers of rust-libp2p should find this node. They read signed peer records in a
   * form of their own, so a second record is registered.
   *
   * @default false
   */
  legacyRecords?: boolean
}

export interface RegisteredEvent {
  server: PeerId
  namespace: string

  /**
   * How long the registration lasts, in s
   */
  ttl: number
}

export interface ServerFailure {
  /**
   * The addresses of the helper, none where it is the look-up of helpers that has failed
   */
  addresses: Multiaddr[]

  /**
   * What went wrong. It is tried again.
   */
  error: Error
}

export interface RendezvousClientEvents extends PeerDiscoveryEvents {
  /**
   * This node is on the board of a helper
   */
  registered: CustomEvent<RegisteredEvent>

  /**
   * A helper does not answer, or refuses
   */
  'server:failed': CustomEvent<ServerFailure>
}

/**
 * What `rendezvousClient()` creates
 */
export interface RendezvousClient extends PeerDiscoveryProvider, TypedEventTarget<RendezvousClientEvents> {}

/**
 * A client of boards, as a service of a libp2p node
 *
 * @throws {InvalidParametersError} a server is no multiaddr, a namespace is empty or too
 * long, or there are none
 */
export function rendezvousClient (
  init: RendezvousClientInit
): (components: RendezvousClientComponents) => RendezvousClient {
  return components => new RendezvousClientService(components, init)
}

export type { RendezvousClientComponents } from './components.ts'
