import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { ConnectionFailedError, TimeoutError } from '@libp2p/interface'
import { pEvent } from 'p-event'
import { CustomProgressEvent } from 'progress-events'
import { raceSignal } from 'race-signal'
import { formatEndpoint } from '../address/endpoint.ts'
import { toIPEndpoint, toNetConfig } from '../address/net-config.ts'
import { isLoopback, isUnspecified } from '../address/scope.ts'
import { toMultiaddrConnection } from '../connection/connection.ts'
import { DEFAULT_MAX_LINGERING_DIALS } from '../constants.ts'
import { bindSocket } from '../net/bound-socket.ts'
import { portSharing } from '../net/port-sharing.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { findPunch, isConnectedByRelay, isConnectedDirectly, listenForRole, peerOf } from '../punch/hole-punch.ts'
import { isRelayed } from '../punch/is-relayed.ts'
import { LingeringDials } from '../punch/lingering-dials.ts'
import { lookupFunction, resolveHost } from '../runtime/dns.ts'
import { systemNetwork } from '../runtime/network.ts'
import type { TCPDialOptions, TCPSTUNComponents, TCPSTUNInit, TCPSocketOptions } from '../index.ts'
import type { SharedPort, SharedPorts } from './shared-ports.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { NetConfig } from '../address/net-config.ts'
import type { Punch, Role } from '../punch/hole-punch.ts'
import type { AbortOptions, Connection, CounterGroup, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket, TcpNetConnectOpts } from 'node:net'

/**
 * The 4-tuple is taken, the port is not ours any more, or its address does not
 * lead there: another port may do
 */
const PORT_UNUSABLE = ['EADDRINUSE', 'EADDRNOTAVAIL', 'EINVAL', 'ENETUNREACH']

/**
 * B's one-sided dial is given up after 5 s, A's SYN may come any time in the 15 s
 * of attempts that follow; each of them adopts what lingers, and leaves it again
 */
const LINGER_TIME = 10_000

/**
 * How long one dial of a punch is tried again when it is refused at once, in ms,
 * and how often all of them are together: see `connectFrom`. The peer may have
 * more addresses, which are dialled in turn, and whose they are only it knows.
 */
const REFUSAL_TIME = 1_000
const MAX_REFUSALS = 100

/**
 * As long as the one-sided dial that a fast punch is to meet, in ms, and a retry
 * of its SYN
 */
const FAST_PUNCH_TIMEOUT = 6_000

/**
 * After its SYNC B waits for half a round trip, and A dials at once: A's SYN should
 * arrive when B has just sent its own. Where the way is short it comes first, at
 * B's listener, and what that answers may not pass B's NAT. go-libp2p then dials
 * from another port, and the attempt is lost. So A waits, in ms; that B's SYN
 * comes to a NAT that does not know it yet does no harm.
 */
const INITIATOR_DELAY = 20

/**
 * How long the upgrade after a fast punch may take, in ms: as long as that of
 * an accepted connection in libp2p
 */
const UPGRADE_TIMEOUT = 10_000

/**
 * What a dial comes to: a socket to upgrade, or the connection of the peer that
 * came to our listener on the very same two endpoints
 */
type Dialled = { socket: Socket, adopted: boolean } | { connection: Connection }

interface DialerMetrics {
  events: CounterGroup<'error' | 'timeout' | 'connect' | 'abort' | 'port_reused' | 'port_fallback' | 'linger' | 'adopt' | 'met_inbound' | 'punch_initiator' | 'punch_responder' | 'punch_refused' | 'fast_punch'>
  errors: CounterGroup<'outbound_to_connection' | 'outbound_upgrade'>
}

/**
 * Dials from the port of a listener where that is possible
 */
export class Dialer {
  private readonly components: TCPSTUNComponents
  private readonly init: TCPSTUNInit
  private readonly ports: SharedPorts
  private readonly lingering: LingeringDials
  private readonly refusals = new WeakMap<Connection, number>()
  private readonly meeting = new Set<string>()
  private readonly log: Logger
  private readonly connectionLog: Logger
  private readonly metrics?: DialerMetrics

  constructor (components: TCPSTUNComponents, init: TCPSTUNInit, ports: SharedPorts) {
    this.components = components
    this.init = init
    this.ports = ports
    this.lingering = new LingeringDials({ limit: init.maxLingeringDials ?? DEFAULT_MAX_LINGERING_DIALS, time: LINGER_TIME })
    ports.addEventListener('delete', ({ detail }) => { this.lingering.close(detail) })
    this.log = components.logger.forComponent('libp2p:tcp-stun:dialer')
    this.connectionLog = this.log.newScope('connection')

    if (components.metrics != null) {
      this.metrics = {
        events: components.metrics.registerCounterGroup('libp2p_tcp_stun_dialer_events_total', {
          label: 'event',
          help: 'Total count of TCP dialer events by type'
        }),
        errors: components.metrics.registerCounterGroup('libp2p_tcp_stun_dialer_errors_total', {
          label: 'event',
          help: 'Total count of TCP dialer errors by type'
        })
      }
    }
  }

  async dial (ma: Multiaddr, options: TCPDialOptions): Promise<Connection> {
    options.signal.throwIfAborted()
    options.onProgress?.(new CustomProgressEvent('tcp:open-connection'))

    const start = performance.now()
    // rust-libp2p closes the stream of DCUtR before the sockets have met
    const expected = findPunch(this.components, ma)
    const dialled = await this.connect(ma, options)

    if ('connection' in dialled) {
      this.log('%a has come to us meanwhile', ma)
      this.metrics?.events.increment({ met_inbound: true })
      return dialled.connection
    }

    const role = await this.role(dialled.socket, ma, options, expected)

    if (role != null) {
      this.metrics?.events.increment({ [`punch_${role}` as const]: true })
      this.log('punched through to %a as %s after %d ms%s', ma, role, Math.round(performance.now() - start), dialled.adopted ? ', by an earlier dial' : '')
    }

    return this.upgrade(dialled.socket, ma, role, options)
  }

  /**
   * Connect to an address that a peer may be dialling us from, and let the peer
   * speak first if it does. Unlike a dial nobody waits for it: when it does not
   * succeed it lingers.
   */
  async punch (ma: Multiaddr, { signal }: Required<AbortOptions>): Promise<void> {
    const config = toNetConfig(ma)
    const { upgrader } = this.components

    if (upgrader == null || config.type === 'unix') {
      return
    }

    const local = await this.localPort(ma, config, signal)

    if (local == null || this.lingering.has(local, config) || signal.aborted) {
      return
    }

    const start = performance.now()
    const socket = bindSocket({ ...local, ipv6Only: local.family === 6 }).connect({ ...this.socketOptions(), host: config.host, port: config.port })
    socket.on('error', () => {})
    // a dial of DCUtR may take it over
    this.lingering.add(socket, local, config)
    await pEvent(socket, 'connect', { rejectionEvents: ['error', 'close'], signal: AbortSignal.any([signal, AbortSignal.timeout(FAST_PUNCH_TIMEOUT)]) })

    if (this.lingering.adopt(local, config) !== socket) {
      return
    }

    const role = await listenForRole(socket, { signal })
    const peer = peerOf(ma) ?? ''

    // a peer that waits for us to speak needs one connection, however many of its
    // addresses have let us in
    if (role === 'initiator' && (this.meeting.has(peer) || isConnectedDirectly(this.components, peer))) {
      resetSocket(socket)
      return
    }

    this.metrics?.events.increment({ fast_punch: true })
    this.log('met %a as %s after %d ms', ma, role, Math.round(performance.now() - start))
    this.meeting.add(peer)

    try {
      await this.upgrade(socket, ma, role, { upgrader, signal: AbortSignal.any([signal, AbortSignal.timeout(UPGRADE_TIMEOUT)]) })
    } finally {
      this.meeting.delete(peer)
    }
  }

  /**
   * The role in a punch, now that the socket is there: see `findPunch`. Where it is
   * not certain that the dial is of that punch, who waited for the other side to
   * speak might wait for ever: so what it says by itself decides.
   */
  private async role (socket: Socket, ma: Multiaddr, { signal, initiator }: TCPDialOptions, expected?: Punch): Promise<Role | undefined> {
    // `initiator` is what our own DCUtR service passes
    const role = initiator == null ? (findPunch(this.components, ma) ?? expected)?.role : initiator ? 'initiator' : 'responder'

    return role === 'responder' && peerOf(ma) == null ? listenForRole(socket, { signal }) : role
  }

  private async upgrade (socket: Socket, ma: Multiaddr, role: Role | undefined, options: TCPDialOptions): Promise<Connection> {
    let maConn

    try {
      maConn = toMultiaddrConnection({
        socket,
        inactivityTimeout: this.init.outboundSocketInactivityTimeout,
        metrics: this.metrics?.events,
        // the muxer goes by this: a responder's streams are those of a server
        direction: role === 'responder' ? 'inbound' : 'outbound',
        remoteAddr: ma,
        log: this.connectionLog
      })
    } catch (err) {
      this.metrics?.errors.increment({ outbound_to_connection: true })
      resetSocket(socket)
      throw err
    }

    this.ports.track(socket, 'outbound')

    try {
      this.log('new outbound connection %a', ma)
      return await options.upgrader.upgradeOutbound(maConn, role == null ? options : { ...options, initiator: role === 'initiator' })
    } catch (err: any) {
      this.metrics?.errors.increment({ outbound_upgrade: true })
      this.log.error('error upgrading outbound connection to %a - %e', ma, err)
      // a reset: TIME_WAIT would make every later dial from the port fail
      maConn.abort(err)
      throw err
    }
  }

  private socketOptions (options: TCPSocketOptions = {}): TCPSocketOptions {
    return {
      keepAlive: true,
      noDelay: true,
      allowHalfOpen: false,
      ...this.init.dialOpts,
      ...pickSocketOptions(options)
    }
  }

  private async connect (ma: Multiaddr, options: TCPDialOptions): Promise<Dialled> {
    const config = toNetConfig(ma)
    const socketOptions = this.socketOptions(options)

    if (config.type === 'unix') {
      return { socket: await this.open(ma, () => net.connect({ ...socketOptions, path: config.path }), options), adopted: false }
    }

    const { host, port, family } = config
    const connectOptions: TcpNetConnectOpts = { lookup: lookupFunction(options), ...socketOptions, host, port, family }
    const local = await this.localPort(ma, config, options.signal)

    if (local != null) {
      const earlier = this.lingering.adopt(local, config)

      if (earlier != null) {
        this.metrics?.events.increment({ adopt: true })
      } else if (findPunch(this.components, ma)?.role === 'initiator') {
        await delay(INITIATOR_DELAY, undefined, { signal: options.signal })
      }

      try {
        const socket = await this.connectFrom(local, ma, connectOptions, options, earlier)
        this.metrics?.events.increment({ port_reused: true })

        return { socket, adopted: earlier != null }
      } catch (err: any) {
        if (!PORT_UNUSABLE.includes(err.code)) {
          throw err
        }

        // both dialled, and the other's SYN was here first: its connection is
        // the one that there is between these two ports
        if (this.ports.hasInbound(local, config)) {
          return { connection: await this.untilOpen(ma, config, options) }
        }

        this.log('can not dial %a from port %d, taking a fresh one - %e', ma, local.port, err)
        this.metrics?.events.increment({ port_fallback: true })
      }
    }

    return { socket: await this.open(ma, () => net.connect(connectOptions), options), adopted: false }
  }

  /**
   * Connect from the port of a listener.
   *
   * A router may answer an unsolicited SYN by a reset (against RFC 5382, REQ-4).
   * In a punch the SYN of whoever comes first is such a one. DCUtR would wait for
   * the other side's dial and then make another attempt, with the same outcome:
   * so the SYN is sent again, after a random part of the time that the reset took.
   * Our own router is open for that time after each SYN, and soon one of the peer's
   * comes within it.
   */
  private async connectFrom (local: SharedPort, ma: Multiaddr, connectOptions: TcpNetConnectOpts, options: TCPDialOptions, earlier?: Socket): Promise<Socket> {
    const begin = performance.now()
    const create = (adopted?: Socket) => () => adopted ?? bindSocket({ ...local, ipv6Only: local.family === 6 }).connect(connectOptions)
    let adopted = earlier

    while (true) {
      const start = performance.now()

      try {
        return await this.open(ma, create(adopted), options, local)
      } catch (err: any) {
        const punch = findPunch(this.components, ma)
        const now = performance.now()

        if (err.code !== 'ECONNREFUSED' || punch == null || now - begin > REFUSAL_TIME || !this.ports.has(local) || !this.mayBeRefused(punch)) {
          throw err
        }

        adopted = undefined
        this.metrics?.events.increment({ punch_refused: true })
        await delay(Math.random() * (now - start), undefined, { signal: options.signal })
      }
    }
  }

  private mayBeRefused ({ relayed }: Punch): boolean {
    const refusals = this.refusals.get(relayed) ?? 0
    this.refusals.set(relayed, refusals + 1)

    return refusals < MAX_REFUSALS
  }

  /**
   * The connection with an endpoint, once it is upgraded
   */
  private async untilOpen (ma: Multiaddr, { host, port }: Endpoint, { signal }: TCPDialOptions): Promise<Connection> {
    const { connectionManager, events } = this.components
    const peer = peerOf(ma)
    const isIt = (connection: Connection): boolean => {
      const remote = toIPEndpoint(connection.remoteAddr)

      return !isRelayed(connection) && remote?.host === host && remote.port === port && (peer == null || peer === connection.remotePeer.toString())
    }
    const there = connectionManager?.getConnections().find(isIt)

    if (there != null || events == null) {
      return there ?? Promise.reject(new ConnectionFailedError(`The peer at ${formatEndpoint({ host, port })} is connected to our listener`))
    }

    const { detail } = await pEvent<'connection:open', CustomEvent<Connection>>(events, 'connection:open', { signal, filter: ({ detail }) => isIt(detail) })

    return detail
  }

  /**
   * The listener's port to dial from, none for a fresh one.
   *
   * A host that there is a direct connection with is dialled from a fresh port:
   * when AutoNAT dials back, the NAT of the asker would let the known port in. But
   * a peer that is connected by a relay alone may share its host with another one,
   * behind one NAT, and has to be punched from the listening port.
   *
   * A listener that has one address is only used where the system would choose
   * that one too: from another one there may be no way.
   */
  private async localPort (ma: Multiaddr, config: NetConfig & { type: 'tcp' }, signal?: AbortSignal): Promise<SharedPort | undefined> {
    const { host, port, family } = config

    if (this.init.portReuse === false || family == null) {
      return
    }

    const peer = peerOf(ma)

    if (this.isConnectedTo(host) && (peer == null || !isConnectedByRelay(this.components, peer))) {
      return
    }

    const shared = this.ports.find({ host, port, family })

    if (shared == null || portSharing() === 'unsupported') {
      return
    }

    if (isUnspecified(shared.host) || isLoopback(shared.host)) {
      return shared
    }

    // when there is none, the dial says so
    const [remote] = await resolveHost(host, family, { signal }).catch(() => [])

    return remote != null && await systemNetwork.localAddress({ host: remote.address, port }) === shared.host ? shared : undefined
  }

  private isConnectedTo (host: string): boolean {
    return this.ports.isConnectedTo(host) || this.components.connectionManager?.getConnections()
      .some(connection => !isRelayed(connection) && connection.remoteAddr.getComponents()[0]?.value === host) === true
  }

  /**
   * Wait until the socket is connected. One that fails is destroyed, and one whose
   * dial is given up too, unless it leaves from the port of a listener: that
   * lingers.
   */
  private async open (ma: Multiaddr, create: () => Socket, options: TCPDialOptions, local?: SharedPort): Promise<Socket> {
    const start = performance.now()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onTimeout = (): void => { reject(new TimeoutError(`Connection timeout after ${Math.round(performance.now() - start)}ms`)) }
    let socket: Socket | undefined

    try {
      socket = create()
      socket.once('error', reject)
      socket.once('connect', resolve)
      socket.once('timeout', onTimeout)
      this.log('dialing %a', ma)

      if (!socket.connecting && !socket.destroyed) {
        resolve()
      }

      await raceSignal(promise, options.signal)
      this.metrics?.events.increment({ connect: true })

      return socket
    } catch (err: any) {
      this.log('dial to %a failed - %e', ma, err)
      this.metrics?.events.increment(err.name === 'AbortError' ? { abort: true } : err instanceof TimeoutError ? { timeout: true } : { error: true })

      if (socket != null) {
        this.giveUp(socket, ma, local)
      }

      if (err.syscall != null) {
        err.message = `connection error ${ma}: ${err.message}`
      }

      throw err
    } finally {
      socket?.off('connect', resolve)
      socket?.off('timeout', onTimeout)
      // one that was given up may still fail
      socket?.on('error', () => {})
      socket?.off('error', reject)
    }
  }

  private giveUp (socket: Socket, ma: Multiaddr, local?: SharedPort): void {
    const config = toNetConfig(ma)

    // no punch adopts it once the listener has closed
    if (local == null || !this.ports.has(local) || config.type === 'unix' || !socket.connecting) {
      resetSocket(socket)
      return
    }

    this.metrics?.events.increment({ linger: true })
    this.lingering.add(socket, local, config)
  }
}

/**
 * A dial's options are of many layers, the socket gets its own
 */
function pickSocketOptions ({ keepAlive, noDelay, allowHalfOpen, keepAliveInitialDelay }: TCPSocketOptions): object {
  return Object.fromEntries(Object.entries({ keepAlive, noDelay, allowHalfOpen, keepAliveInitialDelay }).filter(([, value]) => value != null))
}
