import net, { isIP } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { TimeoutError } from '@libp2p/interface'
import { bindSocket } from '../net/bound-socket.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { Refusals } from '../punch/refusals.ts'
import { findPunch } from '../punch/role.ts'
import { untilConnected } from './open-socket.ts'
import type { DialerMetrics } from './metrics.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { TCPDialOptions, TCPSTUNInit, TCPSocketOptions } from '../index.ts'
import type { ListeningPort, ListeningPorts } from '../listen/listening-ports.ts'
import type { LingeringDials } from '../punch/lingering-dials.ts'
import type { Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { NetConnectOpts, Socket } from 'node:net'

/**
 * A socket that is connected
 */
export interface OpenSocket {
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
export interface SharedPath {
  local: ListeningPort
  remote: Endpoint
}

export interface SocketOpenerInit {
  ports: ListeningPorts
  lingering: LingeringDials
  metrics: DialerMetrics
  socketOptions?: TCPSTUNInit['dialOpts']
}

/**
 * Opens the sockets of dials, from a listening port or from a fresh one
 */
export class SocketOpener {
  private readonly components: TCPSTUNComponents
  private readonly init: SocketOpenerInit
  private readonly refusals = new Refusals()
  private readonly log: Logger

  constructor (components: TCPSTUNComponents, init: SocketOpenerInit) {
    this.components = components
    this.init = init
    this.log = components.logger.forComponent('libp2p:tcp-stun:dialer')
  }

  /**
   * Connect from a fresh port
   */
  async open (ma: Multiaddr, target: NetConnectOpts, options: TCPDialOptions): Promise<OpenSocket> {
    const localAddress = this.localAddressFor(target)

    return this.untilOpen(ma, () => net.connect({ ...this.socketOptions(options), ...target, localAddress }), options)
  }

  /**
   * Bind to a listening port and connect from there
   *
   * @throws the system's error
   */
  connectFrom (local: ListeningPort, remote: Endpoint, options?: TCPSocketOptions): Socket {
    return bindSocket({ ...local, ipv6Only: local.family === 6 }).connect({
      ...this.socketOptions(options),
      host: remote.host,
      port: remote.port,
      family: local.family
    })
  }

  /**
   * Connect from the port of a listener. In a hole punch a dial that is refused is
   * repeated, see `Refusals`.
   */
  async openFrom (path: SharedPath, ma: Multiaddr, options: TCPDialOptions): Promise<OpenSocket> {
    const { local, remote } = path
    const { lingering, metrics, ports } = this.init
    let adopted = lingering.adopt(local, remote)

    if (adopted != null) {
      metrics.onEvent('adopt')
    }

    const begin = performance.now()

    while (true) {
      const start = performance.now()
      const earlier = adopted
      adopted = undefined

      try {
        return {
          ...(await this.untilOpen(ma, () => earlier ?? this.connectFrom(local, remote, options), options, path)),
          from: path,
          adopted: earlier != null
        }
      } catch (err: any) {
        const now = performance.now()

        if (
          err.code !== 'ECONNREFUSED' ||
          !(ports.has(local) || options.localPorts?.includes(local) === true) ||
          !this.refusals.mayRepeat(findPunch(this.components, ma), now - begin)
        ) {
          throw err
        }

        metrics.onEvent('punch_refused')
        await delay(Math.random() * (now - start), undefined, { signal: options.signal })
      }
    }
  }

  /**
   * Wait until a socket is connected. When it is given up it is closed, but one that
   * still connects from the port of a listener lingers.
   */
  private async untilOpen (
    ma: Multiaddr,
    create: () => Socket,
    options: TCPDialOptions,
    from?: SharedPath
  ): Promise<OpenSocket> {
    const { metrics, lingering, ports } = this.init
    const start = performance.now()
    let socket: Socket | undefined
    this.log.trace('dialing %a', ma)

    try {
      socket = create()
      await untilConnected(socket, options)
      metrics.onEvent('connect')

      return { socket, adopted: false, duration: performance.now() - start }
    } catch (err: any) {
      this.log.trace('dial to %a failed - %e', ma, err)
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

  private localAddressFor (target: NetConnectOpts): string | undefined {
    const version = 'host' in target ? isIP(target.host ?? '') : 0

    return version === 0 ? undefined : this.init.socketOptions?.localAddresses?.find(host => isIP(host) === version)
  }

  /**
   * Of a dial's options, which are of several layers, a socket gets its own
   */
  private socketOptions ({
    keepAlive,
    noDelay,
    allowHalfOpen,
    keepAliveInitialDelay
  }: TCPSocketOptions = {}): TCPSocketOptions {
    const { localAddresses, ...always } = this.init.socketOptions ?? {}
    const given = Object.entries({ keepAlive, noDelay, allowHalfOpen, keepAliveInitialDelay }).filter(
      ([, value]) => value != null
    )

    return {
      keepAlive: true,
      noDelay: true,
      allowHalfOpen: false,
      ...always,
      ...Object.fromEntries(given)
    }
  }
}
