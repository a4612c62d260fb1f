import { PeerMap } from '@libp2p/peer-collections'
import { PeerQueue } from '@libp2p/utils'
import { retryDelay, waitsForPartner } from './dial-turns.ts'
import { DIALS_ALONE, neighbourAddresses } from './platform.ts'
import type { RendezvousClientEvents } from '../rendezvous/client/index.ts'
import type {
  ComponentLogger, Connection, Libp2pEvents, Logger, Peer, PeerId, PeerInfo, Startable
} from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { TypedEventTarget } from 'main-event'

export interface MemberConnectorInit {
  /**
   * To how many members this node connects by itself
   *
   * @default 20
   */
  maxMembers?: number
}

/**
 * What the service uses of libp2p's components, and the service `board`
 */
export interface MemberConnectorComponents {
  peerId: PeerId
  logger: ComponentLogger
  events: TypedEventTarget<Libp2pEvents>
  connectionManager: {
    getConnections(peer?: PeerId): Connection[]
    openConnection(peer: PeerId | Multiaddr[], options?: { signal?: AbortSignal }): Promise<Connection>
  }
  peerStore: {
    get(peer: PeerId): Promise<Peer>
  }
  board: TypedEventTarget<RendezvousClientEvents>
}

interface Member {
  failures: number
  timer?: ReturnType<typeof setTimeout>
}

const DEFAULT_MAX_MEMBERS = 20

/**
 * How many of the members on the board are remembered
 */
const MAX_KNOWN = 10_000
const PARALLEL_DIALS = 5

/**
 * A dial may try a direct address before it takes the relay, in ms
 */
const DIAL_TIMEOUT = 15_000

/**
 * Hosts of a local network answer at once, in ms
 */
const NEIGHBOUR_DIAL_TIMEOUT = 2_000

/**
 * Connects this node to the other members of its network, as they appear on the board
 */
export class MemberConnector implements Startable {
  readonly [Symbol.toStringTag] = '@tcp-stun/member-connector'

  private readonly components: MemberConnectorComponents
  private readonly maxMembers: number
  private readonly log: Logger
  private readonly members = new PeerMap<Member>()
  private readonly dials = new PeerQueue<void>({ concurrency: PARALLEL_DIALS })
  private lifetime?: AbortController

  constructor (components: MemberConnectorComponents, { maxMembers = DEFAULT_MAX_MEMBERS }: MemberConnectorInit) {
    this.components = components
    this.maxMembers = maxMembers
    this.log = components.logger.forComponent('libp2p:tcp-stun:members')
  }

  /**
   * How many members this node is connected to
   */
  get connected (): number {
    let count = 0

    for (const peer of this.members.keys()) {
      count += this.isConnected(peer) ? 1 : 0
    }

    return count
  }

  start (): void {
    this.lifetime = new AbortController()
    this.components.board.addEventListener('peer', this.onPeer)
    this.components.events.addEventListener('peer:disconnect', this.onDisconnect)
    this.components.events.addEventListener('connection:open', this.onOpen)
  }

  stop (): void {
    this.components.board.removeEventListener('peer', this.onPeer)
    this.components.events.removeEventListener('peer:disconnect', this.onDisconnect)
    this.components.events.removeEventListener('connection:open', this.onOpen)
    this.lifetime?.abort()
    this.lifetime = undefined
    this.dials.clear()
    this.members.forEach(({ timer }) => { clearTimeout(timer) })
    this.members.clear()
  }

  private readonly onPeer = ({ detail: { id } }: CustomEvent<PeerInfo>): void => {
    if (this.members.size >= MAX_KNOWN && !this.members.has(id)) {
      return
    }

    clearTimeout(this.members.get(id)?.timer)
    this.members.set(id, { failures: 0 })
    this.plan(id)
    this.leaveRelay(id)
  }

  private readonly onOpen = ({ detail: { remotePeer, direction } }: CustomEvent<Connection>): void => {
    if (direction === 'inbound' && this.members.has(remotePeer)) {
      this.leaveRelay(remotePeer)
    }
  }

  private readonly onDisconnect = ({ detail: peer }: CustomEvent<PeerId>): void => {
    if (!this.members.has(peer)) {
      return
    }

    this.plan(peer)

    // its place may be another member's
    for (const [other, { timer }] of this.members) {
      if (timer == null && !other.equals(peer) && !this.isConnected(other)) {
        this.plan(other)
        return
      }
    }
  }

  /**
   * Dial a member when it is our turn, unless it is connected by then
   */
  private plan (peer: PeerId): void {
    const member = this.members.get(peer)

    if (member == null || member.timer != null || this.lifetime == null || this.isConnected(peer)) {
      return
    }

    const delay = retryDelay(member.failures, waitsForPartner(this.components.peerId, peer))
    member.timer = setTimeout(() => {
      member.timer = undefined
      void this.dial(peer, member)
    }, delay)
  }

  private async dial (peer: PeerId, member: Member): Promise<void> {
    const { lifetime, components } = this

    if (lifetime == null || this.isConnected(peer) || this.connected >= this.maxMembers) {
      return
    }

    try {
      await this.dials.add(async () => {
        if (!this.isConnected(peer)) {
          const signal = AbortSignal.any([lifetime.signal, AbortSignal.timeout(DIAL_TIMEOUT)])
          const { limits } = await components.connectionManager.openConnection(peer, { signal })

          if (limits != null) {
            void this.dialNeighbour(peer, lifetime.signal)
          }
        }
      }, { peerId: peer, signal: lifetime.signal })
      member.failures = 0
    } catch (err: any) {
      if (this.lifetime === lifetime && this.members.get(peer) === member) {
        this.log.trace('could not connect to %p - %e', peer, err)
        member.failures++
        this.plan(peer)
      }
    }
  }

  /**
   * Two members behind one router would stay on the relay where that router does not pass
   * their connections back to its own network: libp2p tries the relay before private addresses.
   * The dial comes after the relay, so that nobody waits for it.
   */
  private async dialNeighbour (peer: PeerId, lifetime: AbortSignal): Promise<void> {
    const { connectionManager, peerStore } = this.components

    try {
      const { addresses } = await peerStore.get(peer)
      const neighbours = neighbourAddresses(addresses.map(({ multiaddr }) => multiaddr))

      if (neighbours.length > 0) {
        const timeout = DIALS_ALONE ? DIAL_TIMEOUT : NEIGHBOUR_DIAL_TIMEOUT
        const signal = AbortSignal.any([lifetime, AbortSignal.timeout(timeout)])
        await connectionManager.openConnection(neighbours.map(address => withPeer(address, peer)), { signal })
      }
    } catch (err) {
      this.log('%p is not on a network of this machine - %e', peer, err)
    }
  }

  /**
   * Dial a member that has connected by the relay, where it cannot dial us
   */
  private leaveRelay (peer: PeerId): void {
    const connections = this.components.connectionManager.getConnections(peer)

    const isRelayed = connections.length > 0 && connections.every(({ limits }) => limits != null)

    if (DIALS_ALONE && isRelayed && this.lifetime != null) {
      void this.dialNeighbour(peer, this.lifetime.signal)
    }
  }

  private isConnected (peer: PeerId): boolean {
    return this.components.connectionManager.getConnections(peer).length > 0
  }
}

function withPeer (address: Multiaddr, peer: PeerId): Multiaddr {
  return address.encapsulate(`/p2p/${peer}`)
}

export function memberConnector (
  init: MemberConnectorInit = {}
): (components: MemberConnectorComponents) => MemberConnector {
  return components => new MemberConnector(components, init)
}
