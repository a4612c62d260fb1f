import type { BoardLimits } from './limits.ts'
import type { BoardStore } from '../store/store.ts'
import type {
  ComponentLogger, Connection, Libp2pEvents, Peer, PeerId, StreamHandler, StreamHandlerOptions
} from '@libp2p/interface'
import type { Clock } from 'libp2p-tcp-stun/mapping'
import type { TypedEventTarget } from 'main-event'

export interface RendezvousServerInit extends Partial<BoardLimits> {
  /**
   * Where the registrations are kept
   *
   * @default in memory only
   */
  store?: BoardStore

  /**
   * How long the registrations of a peer stay after it has disconnected, in ms. After a
   * start, how long stored registrations wait for their peers.
   *
   * @default 60_000
   */
  graceTime?: number

  /**
   * Whether a peer may use the board
   *
   * @default every peer
   */
  allow?(peer: PeerId): boolean

  /**
   * Whether an IP address is that of a load balancer, which many peers have in common. The
   * limit of one address does not apply to it.
   *
   * @default none is
   */
  isProxy?(host: string): boolean

  /**
   * The software of a peer, as it says by identify. rust-libp2p would drop an answer with records in the form of the
   * specification, so it gets those in its own form.
   *
   * @default what the peer store knows
   */
  agentOf?(connection: Connection): Promise<string | undefined>

  /**
   * How many requests of a connection are answered a second. Further ones wait; those of
   * two seconds may come at once.
   *
   * @default 20
   */
  maxRequestsPerSecond?: number

  /**
   * The source of time
   *
   * @default the system's
   */
  clock?: Clock
}

/**
 * What was counted since the start
 */
export interface RendezvousCounters {
  /**
   * Answers by their status, such as `OK` and `E_INVALID_TTL`
   */
  registered: Record<string, number>
  discovered: Record<string, number>
  unregistered: number

  /**
   * Registrations that were removed because they expired, or their peer left
   */
  expired: number

  /**
   * Streams that were broken, silent or not of this protocol
   */
  failedStreams: number
}

/**
 * Whether the registrations are stored: `failing` while they are kept in memory only
 */
export type StoreState = 'working' | 'failing'

export interface RendezvousServerEvents {
  /**
   * A part of the store could not be read. The text says what was done about it.
   */
  'store:damaged': CustomEvent<string>

  /**
   * The store does not work. The board goes on without it, and tries again.
   */
  'store:failed': CustomEvent<Error>

  /**
   * The store works again, and has everything
   */
  'store:recovered': CustomEvent<undefined>
}

/**
 * How many registrations there are, by what they belong to
 */
export interface BoardSummary {
  namespaces: Map<string, number>

  /**
   * By the id of the helper that has accepted them
   */
  helpers: Map<string, number>
}

export interface BoardContents {
  /**
   * Looks at each registration: 1 ms with 10 000
   */
  summary(): BoardSummary

  /**
   * A signed record of a peer, if it has registered: the same object until it registers
   * another one
   */
  recordOf(peer: string): Uint8Array | undefined
}

/**
 * A board that is a service of a libp2p node
 */
export interface RendezvousServer extends TypedEventTarget<RendezvousServerEvents> {
  readonly counters: RendezvousCounters
  readonly storeState: StoreState

  /**
   * How many registrations there are
   */
  readonly registrations: number

  /**
   * How many peers have registered
   */
  readonly peers: number

  /**
   * How many requests wait for a registration
   */
  readonly waiting: number

  /**
   * What is on the board
   */
  readonly contents: BoardContents
}

/**
 * What the service uses of libp2p's components
 */
export interface RendezvousServerComponents {
  peerId: PeerId
  logger: ComponentLogger
  events: TypedEventTarget<Libp2pEvents>
  peerStore: {
    get(peer: PeerId): Promise<Peer>
  }
  connectionManager: {
    getConnections(peer?: PeerId): Connection[]
  }
  registrar: {
    handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>
    unhandle(protocol: string): Promise<void>
  }
}
