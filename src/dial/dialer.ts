import { CustomProgressEvent } from 'progress-events'
import { toNetConfig } from '../multiaddr/net-config.ts'
import { INITIATOR_TIMEOUT, detectRole, findPunch } from '../punch/role.ts'
import { resolveHost } from '../runtime/dns.ts'
import { isFromInitiator, recordFirstBytes } from './first-bytes.ts'
import { untilInboundOpens, untilPeerConnects } from './inbound-instead.ts'
import { knownAddresses } from './open-socket.ts'
import type { DialerMetrics } from './metrics.ts'
import type { OutboundUpgrade } from './outbound-upgrade.ts'
import type { OpenSocket, SocketOpener } from './socket-opener.ts'
import type { SourcePorts } from './source-port.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { TCPDialOptions } from '../index.ts'
import type { IPEndpoint } from '../multiaddr/net-config.ts'
import type { Punch, Role } from '../punch/role.ts'
import type { Connection, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The 4-tuple is in use, the port is no longer ours, or there is no route from its
 * address: a fresh port may do
 */
const PORT_UNUSABLE = ['EADDRINUSE', 'EADDRNOTAVAIL', 'EINVAL', 'ENETUNREACH']

/**
 * Whether the local port is to blame. A bind also fails for other reasons: a process that
 * has given up its privileges cannot bind port 443 again (EACCES).
 */
function isPortUnusable ({ code, syscall }: NodeJS.ErrnoException): boolean {
  return syscall === 'bind' || PORT_UNUSABLE.includes(code ?? '')
}

/**
 * An initiator speaks as soon as it is connected, which is at most half a round trip
 * after us. A connect takes one round trip or more, so wait this many times as long, but
 * not less than the minimum in ms: the remote peer may be busy.
 */
const INITIATOR_ROUND_TRIPS = 3
const MIN_INITIATOR_TIMEOUT = 250

/**
 * The result of a dial: a socket to upgrade, or the connection that the remote peer
 * has made to our listener between the same two endpoints
 */
type Dialled = OpenSocket | { connection: Connection }

export interface DialerInit {
  connections: ConnectionTable
  sourcePorts: SourcePorts
  sockets: SocketOpener
  upgrade: OutboundUpgrade
  metrics: DialerMetrics
}

/**
 * Dials, from the port of a listener where that is possible
 */
export class Dialer {
  private readonly components: TCPSTUNComponents
  private readonly init: DialerInit
  private readonly log: Logger

  constructor (components: TCPSTUNComponents, init: DialerInit) {
    this.components = components
    this.init = init
    this.log = components.logger.forComponent('libp2p:tcp-stun:dialer')
  }

  async dial (ma: Multiaddr, options: TCPDialOptions): Promise<Connection> {
    options.signal.throwIfAborted()

    if (options.socket != null) {
      const role = options.initiator === false ? 'responder' : 'initiator'

      return this.init.upgrade.upgrade(options.socket, ma, role, options)
    }

    options.onProgress?.(new CustomProgressEvent('tcp:open-connection'))

    // look for the punch before the dial too: rust-libp2p closes DCUtR's stream
    // before the sockets are connected
    const expected = findPunch(this.components, ma)
    const dialled = await this.connect(ma, options)

    if ('connection' in dialled) {
      this.log.trace('the peer at %a has connected to us meanwhile', ma)
      this.init.metrics.onEvent('used_inbound')
      return dialled.connection
    }

    const role = await this.role(dialled, ma, options, expected)

    if (role != null) {
      this.init.metrics.onEvent(`punch_${role}`)
      this.log.trace(
        'punched a hole to %a as %s in %d ms%s',
        ma,
        role,
        Math.round(dialled.duration),
        dialled.adopted ? ', by an earlier dial' : ''
      )
      return this.init.upgrade.upgrade(dialled.socket, ma, role, options)
    }

    return this.upgradeAsInitiator(dialled, ma, options)
  }

  /**
   * Our role in a hole punch. A responder makes sure that the remote peer speaks first:
   * the peer may have accepted our SYN by its listener, and would wait for us as we for
   * it. And a dial to an address without a peer id may not belong to the punch that is
   * under way.
   */
  private async role (
    { socket, duration, adopted }: OpenSocket,
    ma: Multiaddr,
    { signal, initiator }: TCPDialOptions,
    expected?: Punch
  ): Promise<Role | undefined> {
    const isInitiator = typeof initiator === 'function' ? initiator() : initiator
    const role = isInitiator == null
      ? (findPunch(this.components, ma) ?? expected)?.role
      : isInitiator ? 'initiator' : 'responder'

    // in a private network the first bytes are encrypted
    if (role !== 'responder' || this.components.connectionProtector != null) {
      return role
    }

    // the connect of an adopted socket began before this dial
    const timeout = adopted ? INITIATOR_TIMEOUT : Math.max(INITIATOR_ROUND_TRIPS * duration, MIN_INITIATOR_TIMEOUT)

    return detectRole(socket, { signal, timeout })
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
  private async upgradeAsInitiator (
    { socket, from, duration }: OpenSocket,
    ma: Multiaddr,
    options: TCPDialOptions
  ): Promise<Connection> {
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

      this.log.trace('%a has dialled us at the same time, dialling again', ma)
      this.init.metrics.onEvent('simultaneous_open')
      const connection = await untilPeerConnects(this.components, ma, {
        timeout: Math.round(Math.random() * 2 * duration),
        signal: options.signal
      })

      if (connection != null) {
        this.init.metrics.onEvent('used_inbound')
        return connection
      }

      const again = await this.init.sockets.open(ma, from.remote, options)

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
      return this.init.sockets.open(ma, { path: config.path }, options)
    }

    // not by net.connect, whose lookups go on after the dial was aborted
    const addresses = await resolveHost(config.host, config.family ?? 0, options)
    const [{ address: host, family }] = addresses
    const remote: IPEndpoint = { host, port: config.port, family: family === 6 ? 6 : 4 }
    // of two IP versions, net.connect tries one after the other
    const local = options.freshPort === true || addresses.some(address => address.family !== family)
      ? undefined
      : options.localPorts?.find(port => port.family === remote.family) ??
        await this.init.sourcePorts.find(ma, remote, options)

    if (local != null) {
      try {
        const opened = await this.init.sockets.openFrom({ local, remote }, ma, options)
        this.init.metrics.onEvent('port_reused')

        return opened
      } catch (err: any) {
        if (!isPortUnusable(err)) {
          throw err
        }

        // both peers have dialled, and the remote peer's SYN arrived first: then its
        // connection is the one between these two endpoints
        const connection = await untilInboundOpens(
          this.components,
          this.init.connections,
          local.port,
          remote,
          ma,
          options
        )

        if (connection != null) {
          return { connection }
        }

        this.log.trace('cannot dial %a from port %d, taking a fresh port - %e', ma, local.port, err)
        this.init.metrics.onEvent('port_fallback')
      }
    }

    return this.init.sockets.open(
      ma,
      {
        host: config.host,
        port: config.port,
        family: config.family,
        lookup: knownAddresses(addresses)
      },
      options
    )
  }
}
