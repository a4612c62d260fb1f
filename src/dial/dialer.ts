import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { TimeoutError } from '@libp2p/interface'
import { CustomProgressEvent } from 'progress-events'
import { toNetConfig } from '../address/net-config.ts'
import { peerOf } from '../connection/peers.ts'
import { bindSocket } from '../net/bound-socket.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { Refusals } from '../punch/refusals.ts'
import { INITIATOR_TIMEOUT, detectRole, findPunch } from '../punch/role.ts'
import { resolveHost } from '../runtime/dns.ts'
import { isFromInitiator, recordFirstBytes } from './first-bytes.ts'
import { untilInboundOpens, untilPeerConnects } from './inbound-instead.ts'
import { knownAddresses, untilConnected } from './open-socket.ts'
import type { DialerMetrics } from './metrics.ts'
import type { OutboundUpgrade } from './outbound-upgrade.ts'
import type { SourcePorts } from './source-port.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { IPEndpoint } from '../address/net-config.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { TCPDialOptions, TCPSocketOptions } from '../index.ts'
import type { ListeningPort, ListeningPorts } from '../listen/listening-ports.ts'
import type { LingeringDials } from '../punch/lingering-dials.ts'
import type { Punch, Role } from '../punch/role.ts'
import type { Connection, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

/**
 * The 4-tuple is in use, the port is no longer ours, or there is no route from its
 * address: a fresh port may do
 */
const PORT_UNUSABLE = ['EADDRINUSE', 'EADDRNOTAVAIL', 'EINVAL', 'ENETUNREACH']

/**
 * After SYNC, B waits for half a round trip, and A dials at once, so that A's SYN
 * arrives when B has just sent its own. Over a short path A's SYN arrives first, at
 * B's listener, whose answer may not pass B's NAT; go-libp2p then dials from another
 * port, and the attempt is lost. So A waits this long, in ms. It does no harm when
 * B's SYN arrives first, at a NAT that drops it.
 */
const INITIATOR_DELAY = 20

/**
 * The first bytes of an initiator arrive within one round trip. A connect takes one
 * round trip or more, so wait this many times as long, but not less than the minimum
 * in ms.
 */
const INITIATOR_ROUND_TRIPS = 3
const MIN_INITIATOR_TIMEOUT = 100

/**
 * The result of a dial: a socket to upgrade, or the connection that the remote peer
 * has made to our listener between the same two endpoints
 */
type Dialled = OpenSocket | { connection: Connection }

interface OpenSocket {
  socket: Socket

  /**
   * Set when it leaves from a listening port
   */
  from?: SharedPath

  /**
   * Whether an earlier dial was taken over
   */
  adopted: boolean

  /**
   * How long the connect took, in ms
   */
  duration: number
}

/**
 * From a listening port to a remote endpoint
 */
interface SharedPath {
  local: ListeningPort
  remote: Endpoint
}

export interface DialerInit {
  ports: ListeningPorts
  connections: ConnectionTable
  sourcePorts: SourcePorts
  lingering: LingeringDials
  upgrade: OutboundUpgrade
  metrics: DialerMetrics
  socketOptions?: TCPSocketOptions
}

/**
 * Dials, from the port of a listener where that is possible
 */
export class Dialer {
  private readonly components: TCPSTUNComponents
  private readonly init: DialerInit
  private readonly refusals = new Refusals()
  private readonly log: Logger

  constructor (components: TCPSTUNComponents, init: DialerInit) {
    this.components = components
    this.init = init
    this.log = components.logger.forComponent('libp2p:tcp-stun:dialer')
  }

  async dial (ma: Multiaddr, options: TCPDialOptions): Promise<Connection> {
    options.signal.throwIfAborted()
    options.onProgress?.(new CustomProgressEvent('tcp:open-connection'))

    // look for the punch before the dial too: rust-libp2p closes DCUtR's stream
    // before the sockets are connected
    const expected = findPunch(this.components, ma)
    const dialled = await this.connect(ma, options)

    if ('connection' in dialled) {
      this.log('the peer at %a has connected to us meanwhile', ma)
      this.init.metrics.onEvent('used_inbound')
      return dialled.connection
    }

    const role = await this.role(dialled, ma, options, expected)

    if (role != null) {
      this.init.metrics.onEvent(`punch_${role}`)
      this.log('punched a hole to %a as %s in %d ms%s', ma, role, Math.round(dialled.duration), dialled.adopted ? ', by an earlier dial' : '')
      return this.init.upgrade.upgrade(dialled.socket, ma, role, options)
    }

    return this.upgradeAsInitiator(dialled, ma, options)
  }

  /**
   * Bind to a listening port and connect from there
   *
   * @throws the system's error
   */
  connectFrom (local: ListeningPort, remote: Endpoint, options?: TCPSocketOptions): Socket {
    return bindSocket({ ...local, ipv6Only: local.family === 6 })
      .connect({ ...this.socketOptions(options), host: remote.host, port: remote.port, family: local.family })
  }

  /**
   * Our role in a hole punch. A dial to an address without a peer id may not belong
   * to the punch that is under way. We must not wait for a remote side that waits for
   * us, so then what it sends decides.
   */
  private async role ({ socket, duration, adopted }: OpenSocket, ma: Multiaddr, { signal, initiator }: TCPDialOptions, expected?: Punch): Promise<Role | undefined> {
    if (initiator != null) {
      // our own DCUtR service knows it
      return initiator ? 'initiator' : 'responder'
    }

    const role = (findPunch(this.components, ma) ?? expected)?.role

    if (role !== 'responder' || peerOf(ma) != null) {
      return role
    }

    // the connect of an adopted socket began before this dial
    const timeout = adopted ? INITIATOR_TIMEOUT : Math.max(INITIATOR_ROUND_TRIPS * duration, MIN_INITIATOR_TIMEOUT)

    return detectRole(socket, { signal, timeout: Math.min(timeout, INITIATOR_TIMEOUT) })
  }

  /**
   * Upgrade a connection as its initiator.
   *
   * If the remote peer dials our listening port from its own at the same time, TCP
   * makes one connection of both dials, which has two initiators. Nothing shows that
   * before the handshake fails, on both sides. Then wait for a random time, so that
   * the peer may be first, and dial from a fresh port, which makes a connection of
   * its own.
   */
  private async upgradeAsInitiator ({ socket, from, duration }: OpenSocket, ma: Multiaddr, options: TCPDialOptions): Promise<Connection> {
    if (from == null) {
      return this.init.upgrade.upgrade(socket, ma, undefined, options)
    }

    const firstBytes = recordFirstBytes(socket)

    try {
      return await this.init.upgrade.upgrade(socket, ma, undefined, options)
    } catch (err) {
      if (options.signal.aborted || !this.isSimultaneousOpen(firstBytes())) {
        throw err
      }

      this.log('%a has dialled us at the same time, dialling again', ma)
      this.init.metrics.onEvent('simultaneous_open')
      const connection = await untilPeerConnects(this.components, ma, { timeout: Math.round(Math.random() * 2 * duration), signal: options.signal })

      if (connection != null) {
        this.init.metrics.onEvent('used_inbound')
        return connection
      }

      const again = await this.open(ma, () => net.connect({ ...this.socketOptions(options), ...from.remote }), options)

      return await this.init.upgrade.upgrade(again.socket, ma, undefined, options)
    } finally {
      firstBytes()
    }
  }

  private isSimultaneousOpen (received: Uint8Array): boolean {
    // in a private network all bytes are encrypted
    return this.components.connectionProtector == null ? isFromInitiator(received) : received.byteLength > 0
  }

  private async connect (ma: Multiaddr, options: TCPDialOptions): Promise<Dialled> {
    const config = toNetConfig(ma)

    if (config.type === 'unix') {
      return this.open(ma, () => net.connect({ ...this.socketOptions(options), path: config.path }), options)
    }

    // not by net.connect, whose lookups go on after the dial was aborted
    const addresses = await resolveHost(config.host, config.family ?? 0, options)
    const [{ address: host, family }] = addresses
    const remote: IPEndpoint = { host, port: config.port, family: family === 6 ? 6 : 4 }
    // of two IP versions, net.connect tries one after the other
    const local = addresses.some(address => address.family !== family) ? undefined : await this.init.sourcePorts.find(ma, remote, options)

    if (local != null) {
      try {
        const opened = await this.connectFromListener(local, remote, ma, options)
        this.init.metrics.onEvent('port_reused')

        return opened
      } catch (err: any) {
        if (!PORT_UNUSABLE.includes(err.code)) {
          throw err
        }

        // both peers have dialled, and the remote peer's SYN arrived first: then its
        // connection is the one between these two endpoints
        const connection = await untilInboundOpens(this.components, this.init.connections, local.port, remote, ma, options)

        if (connection != null) {
          return { connection }
        }

        this.log('cannot dial %a from port %d, taking a fresh port - %e', ma, local.port, err)
        this.init.metrics.onEvent('port_fallback')
      }
    }

    return this.open(ma, () => net.connect({
      ...this.socketOptions(options),
      host: config.host,
      port: config.port,
      family: config.family,
      lookup: knownAddresses(addresses)
    }), options)
  }

  /**
   * Connect from the port of a listener. In a hole punch a dial that is refused is
   * repeated, see `Refusals`.
   */
  private async connectFromListener (local: ListeningPort, remote: Endpoint, ma: Multiaddr, options: TCPDialOptions): Promise<OpenSocket> {
    const { lingering, metrics, ports } = this.init
    const adopted = lingering.adopt(local, remote)

    if (adopted != null) {
      metrics.onEvent('adopt')
    } else if (findPunch(this.components, ma)?.role === 'initiator') {
      await delay(INITIATOR_DELAY, undefined, { signal: options.signal })
    }

    const begin = performance.now()
    let create = (): Socket => adopted ?? this.connectFrom(local, remote, options)

    while (true) {
      const start = performance.now()

      try {
        return { ...await this.open(ma, create, options, { local, remote }), adopted: adopted != null }
      } catch (err: any) {
        const now = performance.now()

        if (err.code !== 'ECONNREFUSED' || !ports.has(local) || !this.refusals.mayRepeat(findPunch(this.components, ma), now - begin)) {
          throw err
        }

        create = () => this.connectFrom(local, remote, options)
        metrics.onEvent('punch_refused')
        await delay(Math.random() * (now - start), undefined, { signal: options.signal })
      }
    }
  }

  /**
   * Open a socket. When it is given up it is closed, but one that still connects from
   * the port of a listener lingers.
   */
  private async open (ma: Multiaddr, create: () => Socket, options: TCPDialOptions, from?: SharedPath): Promise<OpenSocket> {
    const { metrics, lingering, ports } = this.init
    const start = performance.now()
    let socket: Socket | undefined
    this.log('dialing %a', ma)

    try {
      socket = create()
      await untilConnected(socket, options)
      metrics.onEvent('connect')

      return { socket, from, adopted: false, duration: performance.now() - start }
    } catch (err: any) {
      this.log('dial to %a failed - %e', ma, err)
      metrics.onEvent(err.name === 'AbortError' ? 'abort' : err instanceof TimeoutError ? 'timeout' : 'error')

      // no punch can adopt a socket once its listener has closed
      if (socket?.connecting === true && from != null && ports.has(from.local)) {
        metrics.onEvent('linger')
        lingering.add(socket, from.local, from.remote)
      } else if (socket != null) {
        resetSocket(socket)
      }

      if (err.syscall != null) {
        err.message = `connection error ${ma}: ${err.message}`
      }

      throw err
    }
  }

  /**
   * Of a dial's options, which are of several layers, a socket gets its own
   */
  private socketOptions ({ keepAlive, noDelay, allowHalfOpen, keepAliveInitialDelay }: TCPSocketOptions = {}): TCPSocketOptions {
    const given = Object.entries({ keepAlive, noDelay, allowHalfOpen, keepAliveInitialDelay }).filter(([, value]) => value != null)

    return {
      keepAlive: true,
      noDelay: true,
      allowHalfOpen: false,
      ...this.init.socketOptions,
      ...Object.fromEntries(given)
    }
  }
}
