/**
 * The bulletin board of a network: peers register under a namespace, and find each other.
 * It is the rendezvous protocol of libp2p, `/rendezvous/1.0.0`.
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
 * import { rendezvousServer } from 'tcp-stun/rendezvous'
 *
 * const helper = await createLibp2p({
 *   addresses: { listen: ['/ip4/0.0.0.0/tcp/4001'] },
 *   transports: [tcpSTUN()],
 *   connectionEncrypters: [noise()],
 *   streamMuxers: [yamux()],
 *   services: { board: rendezvousServer() }
 * })
 *
 * console.info(helper.services.board.registrations)
 * ```
 *
 * @module tcp-stun/rendezvous
 */

import { RendezvousServerService } from './server/service.ts'
import type { RendezvousServer, RendezvousServerComponents, RendezvousServerInit } from './server/types.ts'

/**
 * A board as a service of a libp2p node
 */
export function rendezvousServer (
  init: RendezvousServerInit = {}
): (components: RendezvousServerComponents) => RendezvousServer {
  return components => new RendezvousServerService(components, init)
}

export { createStore } from './store/create-store.ts'
export { MemoryStore } from './store/memory-store.ts'
export { DEFAULT_BOARD_LIMITS } from './server/limits.ts'
export type { BoardLimits } from './server/limits.ts'
export type {
  BoardContents, BoardSummary, RendezvousCounters, RendezvousServer, RendezvousServerComponents, RendezvousServerEvents,
  RendezvousServerInit, StoreState
} from './server/types.ts'
export type { BoardStore, Change, RegistrationKey, StoredRegistration, StoreObserver } from './store/store.ts'
export type { RecordForm } from './signed-record.ts'
