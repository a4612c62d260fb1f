import net from 'node:net'
import { AlreadyStartedError } from '@libp2p/interface'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { pEvent } from 'p-event'
import { toMultiaddr, toNetConfig } from '../multiaddr/net-config.ts'
import { foreignListeners } from '../net/foreign-listeners.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { AcceptedSockets } from './accepted-sockets.ts'
import { listenerAddresses } from './addresses.ts'
import { InboundConnections } from './inbound.ts'
import { listen } from './listen.ts'
import { ListenerMapping } from './listener-mapping.ts'
import { toListeningPort } from './listening-ports.ts'
import { ListenerMetrics } from './metrics.ts'
import { publicMapping } from './public-mapping.ts'
import { sharePort } from './share-port.ts'
import type { ListenerState, OpenState } from './listener-state.ts'
import type { ListenerStatuses } from './listener-statuses.ts'
import type { ListeningPorts } from './listening-ports.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { TCPCreateListenerOptions, TCPSTUNInit } from '../index.ts'
import type { AutoTLSCertificate } from '../websockets/auto-tls.ts'
import type { SharedPort } from '../websockets/shared-port.ts'
import type { AbortOptions, Listener, ListenerEvents, Logger } from '@libp2p/interface'
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

  /** Where WebSockets are wanted: the certificate that AutoTLS has for the node */
  autoTLS?: AutoTLSCertificate
}

export class TCPSTUNListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  private readonly init: TCPSTUNInit
  private readonly components: TCPSTUNComponents
  private readonly ports: ListeningPorts
  private readonly log: Logger
  private readonly server: net.Server
  private readonly sockets: AcceptedSockets
  private readonly shutdown = new AbortController()
  private readonly metrics: ListenerMetrics
  private readonly mapping: ListenerMapping
  private readonly inbound: InboundConnections
  private readonly autoTLS?: AutoTLSCertificate
  private sharedPort?: SharedPort
  private state: ListenerState = { name: 'idle' }

  constructor (components: TCPSTUNComponents, listenerInit: ListenerInit) {
    super()

    const { init, options, ports, connections, statuses, logs, autoTLS } = listenerInit
    this.init = init
    this.components = components
    this.autoTLS = autoTLS
    this.ports = ports
    this.log = logs.listener
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

    this.sockets = new AcceptedSockets({
      connections,
      metrics: this.metrics,
      isOpen: () => this.state.name !== 'closed',
      onClose: () => { this.resumeBelowLimit() }
    })
    this.inbound = new InboundConnections({
      upgrader: options.upgrader,
      metrics: this.metrics,
      logs,
      signal: this.shutdown.signal,
      inactivityTimeout: init.inboundSocketInactivityTimeout,
      onUpgraded: () => { this.pauseAboveLimit() }
    })
    this.mapping = new ListenerMapping(components, {
      options: init,
      ports,
      connections,
      statuses,
      log: this.log,
      onChange: () => { this.onAddresses() }
    })
  }

  /**
   * @throws {AlreadyStartedError} the listener listens already, or did
   * @throws {AbortError} the listener was closed meanwhile
   * @throws {InvalidParametersError} WebSockets are wanted, and `ws` or a usable certificate is missing
   * @throws the system's error, for example EADDRINUSE, even if the other listener shares its port
   */
  async listen (ma: Multiaddr): Promise<void> {
    if (this.state.name !== 'idle') {
      throw new AlreadyStartedError('The listener is already listening')
    }

    const config = toNetConfig(ma)
    this.state = { name: 'opening', listenAddr: ma, config }

    try {
      if (this.autoTLS != null && config.type === 'tcp') {
        await this.share(ma, this.autoTLS)
      }

      await this.open(this.state)
    } catch (err) {
      this.sharedPort?.close()

      // listen() may be called again
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

    return listenerAddresses(this.state.listenAddr, address, {
      external: this.mapping.external,
      webSockets: this.sharedPort == null ? 'none' : this.sharedPort.isSecure ? 'secure' : 'plain'
    })
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
    this.sharedPort?.close()
    await this.mapping.close()

    const events: Array<Promise<unknown>> = []

    if (this.server.listening) {
      events.push(pEvent(this.server, 'close', options))
      this.server.close()
    }

    events.push(this.sockets.close(options))

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

    this.mapping.onInbound(socket)
    this.sockets.add(socket)

    if (this.sharedPort == null) {
      this.inbound.upgradeSocket(socket, { listenAddr: this.state.listenAddr, isUnix: this.state.port == null })
    } else {
      this.sharedPort.accept(socket)
    }
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
      // keep the address that the name resolved to, and the port that the system chose
      config: port == null ? config : { type: 'tcp', ...port }
    }
    this.metrics.onListening((port == null ? listenAddr : toMultiaddr(port)).toString(), this.sockets.size)
    this.safeDispatchEvent('listening')
  }

  private async share (listenAddr: Multiaddr, autoTLS: AutoTLSCertificate): Promise<void> {
    this.sharedPort = await sharePort(this.components, {
      listenAddr,
      inbound: this.inbound,
      options: this.init.webSockets,
      autoTLS,
      log: this.log,
      onSecure: () => { this.onAddresses() }
    })
  }

  /**
   * Peers learn of other addresses only after another `listening` event
   */
  private onAddresses (): void {
    if (this.state.name === 'listening') {
      this.safeDispatchEvent('listening')
    }
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
