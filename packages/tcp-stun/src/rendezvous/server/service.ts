import { peerIdFromString } from '@libp2p/peer-id'
import { TypedEventEmitter } from 'main-event'
import { PROTOCOL } from '../protocol.ts'
import { sleep } from '../sleep.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { BoardStorage } from './board-storage.ts'
import { Board } from './board.ts'
import { systemClock } from './clock.ts'
import { Contents } from './contents.ts'
import { StreamDeadline } from './deadline.ts'
import { Departures } from './departures.ts'
import { DEFAULT_BOARD_LIMITS } from './limits.ts'
import { Pace } from './pace.ts'
import { Readers } from './readers.ts'
import { RequestHandler } from './request-handler.ts'
import { senderOf } from './sender.ts'
import { serveStream } from './serve-stream.ts'
import type {
  BoardContents, RendezvousCounters, RendezvousServer, RendezvousServerComponents, RendezvousServerEvents,
  RendezvousServerInit, StoreState
} from './types.ts'
import type { Message } from '../pb/rendezvous.ts'
import type { Connection, Logger, PeerId, Startable, Stream } from '@libp2p/interface'
import type { Clock, Timer } from 'libp2p-tcp-stun/mapping'

const DEFAULT_GRACE_TIME = 60_000
const DEFAULT_REQUESTS_PER_SECOND = 20

/**
 * How often what has expired is removed, in ms. Nobody reads it meanwhile.
 */
const SWEEP_INTERVAL = 5_000

/**
 * How many streams a connection may have: one that waits, and some that register
 */
const MAX_STREAMS = 8

/**
 * The board as a service of a libp2p node
 */
export class RendezvousServerService
  extends TypedEventEmitter<RendezvousServerEvents> implements RendezvousServer, Startable {
  readonly [Symbol.toStringTag] = '@tcp-stun/rendezvous-server'

  readonly counters: RendezvousCounters = {
    registered: {},
    discovered: {},
    unregistered: 0,
    expired: 0,
    failedStreams: 0
  }

  readonly contents: BoardContents

  private readonly components: RendezvousServerComponents
  private readonly log: Logger
  private readonly clock: Clock
  private readonly board: Board
  private readonly readers: Readers
  private readonly storage: BoardStorage
  private readonly departures: Departures
  private readonly requests: RequestHandler
  private readonly maxRequestsPerSecond: number
  private readonly isProxy: (host: string) => boolean
  private readonly agentOf: (connection: Connection) => Promise<string | undefined>
  private readonly paces = new WeakMap<Connection, Pace>()

  /**
   * One for each stream. A signal that all have in common would look through thousands of listeners for each stream
   * that begins or ends.
   */
  private readonly open = new Set<StreamDeadline>()
  private isStarted = false
  private sweepTimer?: Timer

  constructor (components: RendezvousServerComponents, init: RendezvousServerInit = {}) {
    super()

    const {
      store = new MemoryStore(),
      clock = systemClock,
      graceTime = DEFAULT_GRACE_TIME,
      allow = () => true,
      maxRequestsPerSecond = DEFAULT_REQUESTS_PER_SECOND,
      isProxy = () => false,
      agentOf = async ({ remotePeer }) => this.storedAgent(remotePeer),
      ...others
    } = init
    const limits = { ...DEFAULT_BOARD_LIMITS, ...others }
    this.components = components
    this.log = components.logger.forComponent('libp2p:tcp-stun:rendezvous-server')
    this.clock = clock
    this.maxRequestsPerSecond = maxRequestsPerSecond
    this.isProxy = isProxy
    this.agentOf = agentOf
    this.readers = new Readers(clock)
    this.departures = new Departures(graceTime)
    this.board = new Board(clock, limits, {
      onAdd: registration => {
        this.storage.put(registration)
        this.readers.notify(registration.namespace)
      },
      onRefresh: registration => { this.storage.put(registration) },
      onRemove: registration => { this.storage.delete(registration) }
    })
    this.contents = new Contents(this.board)
    this.storage = new BoardStorage({
      store,
      clock,
      board: this.board,
      via: components.peerId.toString(),
      isConnected: peer => this.isConnected(peer),
      onAdd: ({ namespace }) => { this.readers.notify(namespace) },
      onDamage: text => {
        this.log.error('%s', text)
        this.safeDispatchEvent('store:damaged', { detail: text })
      },
      onFailure: err => {
        this.log.error('the store does not work, the board goes on without it - %e', err)
        this.safeDispatchEvent('store:failed', { detail: err })
      },
      onRecovery: () => {
        this.log('the store works again')
        this.safeDispatchEvent('store:recovered')
      }
    })
    this.requests = new RequestHandler({
      board: this.board,
      readers: this.readers,
      limits,
      clock,
      via: components.peerId.toString(),
      allow
    })
  }

  get registrations (): number {
    return this.board.size
  }

  get peers (): number {
    return this.board.peerCount
  }

  get waiting (): number {
    return this.readers.size
  }

  get storeState (): StoreState {
    return this.storage.state
  }

  async start (): Promise<void> {
    if (this.isStarted) {
      return
    }

    this.isStarted = true
    const { events, registrar } = this.components

    try {
      await this.storage.open()
    } catch (err) {
      this.isStarted = false
      throw err
    }

    // stored registrations wait for their peers, as if these had just left
    for (const peer of this.storage.ownPeers()) {
      this.onDisconnect(peer)
    }

    events.addEventListener('peer:connect', this.handleConnect)
    events.addEventListener('peer:disconnect', this.handleDisconnect)
    await registrar.handle(PROTOCOL, (stream, connection) => {
      void this.serve(stream, connection)
    }, { maxInboundStreams: MAX_STREAMS })
    this.sweepLater()
  }

  async stop (): Promise<void> {
    const { events, registrar } = this.components

    if (!this.isStarted) {
      return
    }

    this.isStarted = false
    events.removeEventListener('peer:connect', this.handleConnect)
    events.removeEventListener('peer:disconnect', this.handleDisconnect)
    this.sweepTimer?.clear()
    await registrar.unhandle(PROTOCOL)
    this.open.forEach(deadline => { deadline.abort(new Error('The board has stopped')) })
    this.readers.close()
    await this.storage.close()
  }

  private async serve (stream: Stream, connection: Connection): Promise<void> {
    const deadline = new StreamDeadline(this.clock)
    this.open.add(deadline)

    try {
      await serveStream(stream, async (request, signal) => this.answer(request, connection, signal), deadline)
    } catch (err: any) {
      this.counters.failedStreams++
      this.log.trace('stream of %p failed - %e', connection.remotePeer, err)
      stream.abort(err)
    } finally {
      this.open.delete(deadline)
    }
  }

  private async answer (request: Message, connection: Connection, signal: AbortSignal): Promise<Message | undefined> {
    const pace = this.paces.get(connection) ?? new Pace(this.maxRequestsPerSecond)
    this.paces.set(connection, pace)
    const delay = pace.take(this.clock.now())

    if (delay > 0) {
      await sleep(delay, signal, this.clock)
      signal.throwIfAborted()
    }

    const sender = senderOf(connection, this.isProxy, this.agentOf)
    const response = await this.requests.handle(request, sender, signal)
    this.count(response)

    return response
  }

  private count (response: Message | undefined): void {
    const { counters } = this

    if (response?.registerResponse?.status != null) {
      increment(counters.registered, response.registerResponse.status)
    } else if (response?.discoverResponse?.status != null) {
      increment(counters.discovered, response.discoverResponse.status)
    } else {
      counters.unregistered++
    }
  }

  private async storedAgent (peer: PeerId): Promise<string | undefined> {
    try {
      const { metadata } = await this.components.peerStore.get(peer)

      return new TextDecoder().decode(metadata.get('AgentVersion'))
    } catch {
      // not identified yet
    }
  }

  private isConnected (peer: string): boolean {
    return this.components.connectionManager.getConnections(peerIdFromString(peer)).length > 0
  }

  private readonly handleConnect = ({ detail }: CustomEvent<PeerId>): void => {
    this.departures.returned(detail.toString())
  }

  private readonly handleDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    this.onDisconnect(detail.toString())
  }

  private onDisconnect (peer: string): void {
    if (this.board.has(peer)) {
      this.departures.left(peer, this.clock.now())
    }
  }

  private sweepLater (): void {
    this.sweepTimer = this.clock.setTimeout(() => {
      this.sweep()
      this.sweepLater()
    }, SWEEP_INTERVAL)
  }

  private sweep (): void {
    const before = this.board.size
    this.board.expire()

    for (const peer of this.departures.take(this.clock.now())) {
      // another helper that the peer is connected to puts them back
      this.board.remove(this.board.ofPeer(peer))
    }

    this.counters.expired += before - this.board.size
  }
}

function increment (counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1
}
