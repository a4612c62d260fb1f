import net from 'node:net'
import { AlreadyStartedError } from '@libp2p/interface'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { pEvent } from 'p-event'
import { toMultiaddr } from '../address/endpoint.ts'
import { toNetConfig } from '../address/net-config.ts'
import { toMultiaddrConnection } from '../connection/multiaddr-connection.ts'
import { foreignListeners } from '../net/foreign-listeners.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { listenerAddresses } from './addresses.ts'
import { listen } from './listen.ts'
import { ListenerMapping } from './listener-mapping.ts'
import { toListeningPort } from './listening-ports.ts'
import { ListenerMetrics } from './metrics.ts'
import { publicMapping } from './public-mapping.ts'
import type { ListenerState, OpenState } from './listener-state.ts'
import type { ListenerStatuses } from './listener-statuses.ts'
import type { ListeningPorts } from './listening-ports.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { TCPCreateListenerOptions, TCPSTUNInit } from '../index.ts'
import type { AbortOptions, Listener, ListenerEvents, Logger, MultiaddrConnection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

export interface ListenerInit {
  init: TCPSTUNInit
  options: TCPCreateListenerOptions
  ports: ListeningPorts
  connections: ConnectionTable
  statuses: ListenerStatuses

  /** Shared by all listeners of a transport, and all their connections: a logger takes 2.6 kB and 0.1 ms */
  logs: { listener: Logger, connection: Logger }
}

export class TCPSTUNListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  private readonly init: TCPSTUNInit
  private readonly options: TCPCreateListenerOptions
  private readonly ports: ListeningPorts
  private readonly connections: ConnectionTable
  private readonly log: Logger
  private readonly connectionLog: Logger
  private readonly server: net.Server
  private readonly sockets = new Set<Socket>()
  private readonly shutdown = new AbortController()
  private readonly metrics: ListenerMetrics
  private readonly mapping: ListenerMapping
  private state: ListenerState = { name: 'idle' }

  constructor (components: TCPSTUNComponents, { init, options, ports, connections, statuses, logs }: ListenerInit) {
    super()

    this.init = init
    this.options = options
    this.ports = ports
    this.connections = connections
    this.log = logs.listener
    this.connectionLog = logs.connection
    this.metrics = new ListenerMetrics(components.metrics)
    setMaxListeners(Infinity, this.shutdown.signal)

    this.server = net.createServer({
      keepAlive: true, noDelay: true, allowHalfOpen: false, ...init.listenOpts, ...options
    })

    if (init.maxConnections != null) {
      this.server.maxConnections = init.maxConnections
    }

    this.server.on('connection', socket => { this.onSocket(socket) })
    this.server.on('drop', () => { this.metrics.onEvent('drop') })
    this.server.on('error', err => {
      this.metrics.onEvent('listen_error')
      this.safeDispatchEvent('error', { detail: err })
    })

    this.mapping = new ListenerMapping(components, {
      options: init,
      ports,
      connections,
      statuses,
      log: this.log,
      onChange: () => {
        if (this.state.name === 'listening') {
          this.safeDispatchEvent('listening')
        }
      }
    })
  }

  /**
   * @throws {AlreadyStartedError} the listener listens already, or did
   * @throws {AbortError} the listener was closed meanwhile
   * @throws the system's error: EADDRINUSE also when the other listener shares its port
   */
  async listen (ma: Multiaddr): Promise<void> {
    if (this.state.name !== 'idle') {
      throw new AlreadyStartedError('The listener is already listening')
    }

    const config = toNetConfig(ma)
    this.state = { name: 'opening', listenAddr: ma, config }

    try {
      await this.open(this.state)
    } catch (err) {
      // a port that could not be had may be tried again
      if (this.state.name === 'opening') {
        this.state = { name: 'idle' }
      }

      throw err
    }

    foreignListeners.watch(this.server, { log: this.log, signal: this.shutdown.signal })

    if (this.state.name === 'listening' && this.state.port != null) {
      await this.mapping.start(this.state.port, {
        signal: this.shutdown.signal,
        isFixed: config.type === 'tcp' && config.port !== 0
      })
    }
  }

  get [publicMapping] (): ListenerMapping['current'] { return this.mapping.current }

  getAddrs (): Multiaddr[] {
    this.mapping.refresh()
    const address = this.server.address()

    if (address == null || (this.state.name !== 'listening' && this.state.name !== 'paused')) {
      return []
    }

    return listenerAddresses(this.state.listenAddr, address, this.mapping.external)
  }

  updateAnnounceAddrs (): void {}

  async close (options?: AbortOptions): Promise<void> {
    if (this.state.name === 'closed') {
      return
    }

    if (this.state.port != null) {
      this.ports.delete(this.state.port)
    }

    this.state = { name: 'closed' }
    this.metrics.close()

    // also ends upgrades that are under way
    this.shutdown.abort()
    await this.mapping.close()

    const events: Array<Promise<unknown>> = []

    if (this.server.listening) {
      events.push(pEvent(this.server, 'close', options))
      this.server.close()
    }

    for (const socket of this.sockets) {
      events.push(pEvent(socket, 'close', { ...options, rejectionEvents: [] }))
      socket.destroy()
    }

    try {
      await Promise.all(events)
    } finally {
      this.safeDispatchEvent('close')
    }
  }

  private onSocket (socket: Socket): void {
    this.metrics.onEvent('connection')

    if (this.state.name !== 'listening') {
      resetSocket(socket)
      return
    }

    const { listenAddr, config } = this.state
    let maConn: MultiaddrConnection

    try {
      maConn = toMultiaddrConnection({
        socket,
        inactivityTimeout: this.init.inboundSocketInactivityTimeout,
        metrics: this.metrics.events,
        direction: 'inbound',
        localAddr: listenAddr,
        // the other end of a Unix socket has no address
        remoteAddr: config.type === 'unix' ? listenAddr : undefined,
        log: this.connectionLog
      })
    } catch (err: any) {
      this.log.trace('inbound connection failed - %e', err)
      this.metrics.onEvent('inbound_to_connection_error')
      socket.destroy()
      return
    }

    this.log.trace('new inbound connection %a', maConn.remoteAddr)
    this.mapping.onInbound(socket)
    this.addSocket(socket)

    this.options.upgrader.upgradeInbound(maConn, { signal: this.shutdown.signal })
      .then(() => {
        this.log.trace('inbound connection upgraded %a', maConn.remoteAddr)
        this.pauseAboveLimit()
      })
      .catch(err => {
        this.log.trace('inbound connection upgrade failed - %e', err)
        this.metrics.onEvent('inbound_upgrade_error')
        maConn.abort(err)
      })
  }

  private addSocket (socket: Socket): void {
    this.sockets.add(socket)
    this.connections.track(socket, 'inbound')
    this.metrics.onConnections(this.sockets.size)

    socket.once('close', () => {
      this.sockets.delete(socket)

      if (this.state.name !== 'closed') {
        this.metrics.onConnections(this.sockets.size)
        this.resumeBelowLimit()
      }
    })
  }

  /**
   * Listen, for the first time or again on the same port
   */
  private async open ({ listenAddr, config, port }: OpenState): Promise<void> {
    await listen(this.server, config, { backlog: this.init.backlog, signal: this.shutdown.signal })

    const address = this.server.address()

    if (port == null && address != null && typeof address !== 'string') {
      port = toListeningPort(address)
      this.ports.add(port)
    }

    this.state = {
      name: 'listening',
      listenAddr,
      port,
      // keep the address that the name has, and the port that the system chose
      config: port == null ? config : { type: 'tcp', ...port }
    }
    this.metrics.onListening((port == null ? listenAddr : toMultiaddr(port)).toString(), this.sockets.size)
    this.safeDispatchEvent('listening')
  }

  private pauseAboveLimit (): void {
    const { closeServerOnMaxConnections: limits } = this.init

    if (limits == null || this.sockets.size < limits.closeAbove || this.state.name !== 'listening') {
      return
    }

    this.log('%d connections of %d, no more are accepted for now', this.sockets.size, limits.closeAbove)
    this.state = { ...this.state, name: 'paused' }
    this.metrics.onPaused()
    // its connections stay open
    this.server.close()
  }

  private resumeBelowLimit (): void {
    const { closeServerOnMaxConnections: limits } = this.init

    if (limits == null || this.sockets.size >= limits.listenBelow || this.state.name !== 'paused') {
      return
    }

    const paused = this.state
    this.state = { ...paused, name: 'opening' }

    // another process may have taken the port; the next connection that closes tries again
    this.open(this.state).catch(err => {
      if (this.state.name === 'closed') {
        return
      }

      this.log.error('could not listen again - %e', err)
      this.state = paused
      limits.onListenError?.(err)
    })
  }
}
