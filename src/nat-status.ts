import { InvalidParametersError } from '@libp2p/interface'
import type { ListenerStatus } from './index.ts'
import type { ListenerStatuses, NATStatusEvents } from './listen/listener-statuses.ts'
import type { PeerId } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'

/**
 * What the NAT lets peers do with each listener of a node, now and as it changes
 */
export interface NATStatus extends TypedEventTarget<NATStatusEvents> {
  /**
   * The status of each listener that has a public address, looks for one, or cannot have
   * one. A loopback listener has none.
   */
  readonly listeners: ListenerStatus[]
}

/**
 * A node, or the components that libp2p gives to its services
 */
export interface NodeWithTransport {
  peerId: PeerId
}

/**
 * By the id that a node shares with its components: libp2p makes one object for each
 * node, and shows the transports to the components only
 */
const nodes = new WeakMap<PeerId, NATStatus>()

/**
 * The status of the `tcpSTUN()` transport of a node
 *
 * @example
 *
 * ```TypeScript
 * import { createLibp2p } from 'libp2p'
 * import { natStatus, tcpSTUN } from 'libp2p-tcp-stun'
 *
 * const node = await createLibp2p({
 *   addresses: { listen: ['/ip4/0.0.0.0/tcp/4001'] },
 *   transports: [tcpSTUN()]
 * })
 * const nat = natStatus(node)
 *
 * console.info(nat.listeners)
 * nat.addEventListener('status', ({ detail }) => { console.info(detail.state) })
 * ```
 *
 * @throws {InvalidParametersError} the node has no such transport
 */
export function natStatus ({ peerId }: NodeWithTransport): NATStatus {
  const status = nodes.get(peerId)

  if (status == null) {
    throw new InvalidParametersError('This node has no tcpSTUN() transport: add it to `transports`')
  }

  return status
}

/**
 * Let `natStatus` find the transport
 */
export function registerNATStatus (peerId: PeerId, statuses: ListenerStatuses): void {
  nodes.set(peerId, statuses)
}
