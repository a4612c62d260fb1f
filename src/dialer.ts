import net from 'node:net'
import { TimeoutError } from '@libp2p/interface'
import { CustomProgressEvent } from 'progress-events'
import { raceSignal } from 'race-signal'
import { toMultiaddrConnection } from './connection.ts'
import { bindSocket, portSharing } from './net/bound-socket.ts'
import { resetSocket } from './net/reset-socket.ts'
import { toNetConfig } from './net-config.ts'
import type { TCPDialOptions, TCPSTUNComponents, TCPSTUNInit } from './index.ts'
import type { NetConfig } from './net-config.ts'
import type { SharedPort, SharedPorts } from './shared-ports.ts'
import type { Connection, CounterGroup, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket, TcpNetConnectOpts } from 'node:net'

/**
 * The 4-tuple is taken, or the port is not ours any more: another port may do
 */
const PORT_TAKEN = ['EADDRINUSE', 'EADDRNOTAVAIL']

interface DialerMetrics {
  events: CounterGroup<'error' | 'timeout' | 'connect' | 'abort' | 'port_reused' | 'port_fallback'>
  errors: CounterGroup<'outbound_to_connection' | 'outbound_upgrade'>
}

/**
 * Dials from the port of a listener where that is possible
 */
export class Dialer {
  private readonly components: TCPSTUNComponents
  private readonly init: TCPSTUNInit
  private readonly ports: SharedPorts
  private readonly log: Logger
  private readonly metrics?: DialerMetrics

  constructor (components: TCPSTUNComponents, init: TCPSTUNInit, ports: SharedPorts) {
    this.components = components
    this.init = init
    this.ports = ports
    this.log = components.logger.forComponent('libp2p:tcp-stun:dialer')

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

    const socket = await this.connect(ma, options)
    let maConn

    try {
      maConn = toMultiaddrConnection({
        socket,
        inactivityTimeout: this.init.outboundSocketInactivityTimeout,
        metrics: this.metrics?.events,
        direction: 'outbound',
        remoteAddr: ma,
        log: this.log.newScope('connection')
      })
    } catch (err) {
      this.metrics?.errors.increment({ outbound_to_connection: true })
      resetSocket(socket)
      throw err
    }

    this.ports.track(socket, 'outbound')

    try {
      this.log('new outbound connection %a', ma)
      return await options.upgrader.upgradeOutbound(maConn, options)
    } catch (err: any) {
      this.metrics?.errors.increment({ outbound_upgrade: true })
      this.log.error('error upgrading outbound connection to %a - %e', ma, err)
      // a reset: TIME_WAIT would make every later dial from the port fail
      maConn.abort(err)
      throw err
    }
  }

  private async connect (ma: Multiaddr, options: TCPDialOptions): Promise<Socket> {
    const config = toNetConfig(ma)
    const socketOptions = {
      keepAlive: true,
      noDelay: true,
      allowHalfOpen: false,
      ...this.init.dialOpts,
      ...pickSocketOptions(options)
    }

    if (config.type === 'unix') {
      return this.open(ma, () => net.connect({ ...socketOptions, path: config.path }), options)
    }

    const { host, port, family } = config
    const connectOptions: TcpNetConnectOpts = { ...socketOptions, host, port, family }
    const local = this.localPort(config)

    if (local != null) {
      try {
        const socket = await this.open(ma, () => bindSocket({ ...local, ipv6Only: local.family === 6 }).connect(connectOptions), options)
        this.metrics?.events.increment({ port_reused: true })

        return socket
      } catch (err: any) {
        if (!PORT_TAKEN.includes(err.code)) {
          throw err
        }

        this.log('can not dial %a from port %d, taking a fresh one - %e', ma, local.port, err)
        this.metrics?.events.increment({ port_fallback: true })
      }
    }

    return this.open(ma, () => net.connect(connectOptions), options)
  }

  /**
   * The listener's port to dial from, none for a fresh one. A host that there is
   * a direct connection with is dialled from a fresh port: when AutoNAT dials
   * back, the NAT of the asker would let the known port in.
   */
  private localPort (config: NetConfig & { type: 'tcp' }): SharedPort | undefined {
    const { host, port, family } = config

    if (this.init.portReuse === false || portSharing() === 'unsupported' || family == null || this.isConnectedTo(host)) {
      return
    }

    return this.ports.find({ host, port, family })
  }

  private isConnectedTo (host: string): boolean {
    return this.ports.isConnectedTo(host) || this.components.connectionManager?.getConnections()
      .some(({ limits, remoteAddr }) => limits == null && remoteAddr.getComponents()[0]?.value === host) === true
  }

  /**
   * Wait until the socket is connected. One that fails, or whose dial is given
   * up, is destroyed.
   */
  private async open (ma: Multiaddr, create: () => Socket, options: TCPDialOptions): Promise<Socket> {
    const start = Date.now()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onTimeout = (): void => { reject(new TimeoutError(`Connection timeout after ${Date.now() - start}ms`)) }
    let socket: Socket | undefined

    try {
      socket = create()
      socket.once('error', reject)
      socket.once('connect', resolve)
      socket.once('timeout', onTimeout)
      this.log('dialing %a', ma)
      await raceSignal(promise, options.signal)
      this.metrics?.events.increment({ connect: true })

      return socket
    } catch (err: any) {
      this.log('dial to %a failed - %e', ma, err)
      this.metrics?.events.increment(err.name === 'AbortError' ? { abort: true } : err instanceof TimeoutError ? { timeout: true } : { error: true })
      if (socket != null) {
        resetSocket(socket)
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
}

/**
 * A dial's options are of many layers, the socket gets its own
 */
function pickSocketOptions ({ keepAlive, noDelay, allowHalfOpen, keepAliveInitialDelay }: TCPDialOptions): object {
  return Object.fromEntries(Object.entries({ keepAlive, noDelay, allowHalfOpen, keepAliveInitialDelay }).filter(([, value]) => value != null))
}
