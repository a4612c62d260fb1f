import net from 'node:net'
import { AlreadyStartedError, InvalidParametersError } from '@libp2p/interface'
import { getThinWaistAddresses } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { anySignal } from 'any-signal'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { pEvent } from 'p-event'
import { toMultiaddr } from '../address/endpoint.ts'
import { toNetConfig } from '../address/net-config.ts'
import { isLoopback } from '../address/scope.ts'
import { toMultiaddrConnection } from '../connection/connection.ts'
import { DEFAULT_MAPPING_TIMEOUT, DEFAULT_STUN_SERVERS } from '../constants.ts'
import { PublicMapping } from '../mapping/mapping.ts'
import { DEFAULT_KEEP_ALIVE_INTERVAL } from '../mapping/options.ts'
import { assertPortFree, bindSocket } from '../net/bound-socket.ts'
import { foreignListeners } from '../net/foreign-listeners.ts'
import { portSharing } from '../net/port-sharing.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { systemClock } from '../runtime/clock.ts'
import { sharedLogger } from '../runtime/loggers.ts'
import { parseSTUNURI } from '../stun/uri.ts'
import { Announcer } from './announcer.ts'
import { observedAddress } from './observed-address.ts'
import type { NetConfig } from '../address/net-config.ts'
import type { SharedPort, SharedPorts } from '../dial/shared-ports.ts'
import type { TCPCreateListenerOptions, TCPSTUNComponents, TCPSTUNInit } from '../index.ts'
import type { MappingStatus } from '../mapping/status.ts'
import type { AbortOptions, CounterGroup, IdentifyResult, Listener, ListenerEvents, Logger, MetricGroup } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

interface ListenerMetrics {
  status?: MetricGroup
  errors?: CounterGroup
  events?: CounterGroup
}

/**
 * As `@libp2p/tcp` numbers them in its metrics
 */
const STATUS_CODES = { inactive: 0, active: 1, paused: 2, closed: 0 }

/**
 * - `inactive`: not listening yet
 * - `active`: accepts connections
 * - `paused`: does not listen, there are too many connections
 * - `closed`: for good
 */
type Status =
  { name: 'inactive' } |
  { name: 'active' | 'paused', listenAddr: Multiaddr, config: NetConfig, shared?: SharedPort } |
  { name: 'closed' }

export class TCPSTUNListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  private readonly components: TCPSTUNComponents
  private readonly init: TCPSTUNInit
  private readonly options: TCPCreateListenerOptions
  private readonly ports: SharedPorts
  private readonly log: Logger
  private readonly connectionLog: Logger
  private readonly server: net.Server
  private readonly sockets = new Set<Socket>()
  private readonly shutdown = new AbortController()
  private readonly metrics: ListenerMetrics
  private readonly announcer: Announcer
  private mapping?: PublicMapping
  private status: Status = { name: 'inactive' }
  private label = 'unknown'

  /**
   * @throws {InvalidParametersError} `closeServerOnMaxConnections` makes no sense
   */
  constructor (components: TCPSTUNComponents, init: TCPSTUNInit, options: TCPCreateListenerOptions, ports: SharedPorts) {
    super()

    this.components = components
    this.init = init
    this.options = options
    this.ports = ports
    this.log = sharedLogger(components.logger, 'libp2p:tcp-stun:listener')
    // one for all connections: each of its own takes longer, and memory
    this.connectionLog = sharedLogger(components.logger, 'libp2p:tcp-stun:listener:connection')
    setMaxListeners(Infinity, this.shutdown.signal)

    const { closeServerOnMaxConnections: limits } = init

    if (limits != null && limits.closeAbove < limits.listenBelow) {
      throw new InvalidParametersError('closeAbove must be >= listenBelow')
    }

    this.server = net.createServer({
      keepAlive: true,
      noDelay: true,
      allowHalfOpen: false,
      ...init.listenOpts,
      ...options
    })

    if (init.maxConnections != null) {
      this.server.maxConnections = init.maxConnections
    }

    this.server.on('connection', socket => { this.onSocket(socket) })
    this.server.on('drop', () => { this.metrics.events?.increment({ [`${this.label} drop`]: true }) })
    this.server.on('error', err => {
      this.metrics.errors?.increment({ [`${this.label} listen_error`]: true })
      this.safeDispatchEvent('error', { detail: err })
    })

    this.announcer = new Announcer(components, {
      clock: systemClock,
      autoConfirmAddress: init.autoConfirmAddress ?? true,
      onChange: () => {
        if (this.status.name === 'active') {
          this.safeDispatchEvent('listening')
        }
      }
    })

    components.metrics?.registerMetricGroup('libp2p_tcp_stun_inbound_connections_total', {
      label: 'address',
      help: 'Current active connections in TCP listener',
      calculate: () => ({ [this.label]: this.sockets.size })
    })

    this.metrics = {
      status: components.metrics?.registerMetricGroup('libp2p_tcp_stun_listener_status_info', {
        label: 'address',
        help: 'Current status of the TCP listener socket: 0 inactive, 1 active, 2 paused'
      }),
      errors: components.metrics?.registerCounterGroup('libp2p_tcp_stun_listener_errors_total', {
        label: 'address',
        help: 'Total count of TCP listener errors by type'
      }),
      events: components.metrics?.registerCounterGroup('libp2p_tcp_stun_listener_events_total', {
        label: 'address',
        help: 'Total count of TCP listener events by type'
      })
    }
  }

  /**
   * @throws the system's error: EADDRINUSE also when the other listener shares its port
   */
  async listen (ma: Multiaddr): Promise<void> {
    if (this.status.name !== 'inactive') {
      throw new AlreadyStartedError('The listener is already listening')
    }

    this.status = { name: 'active', listenAddr: ma, config: toNetConfig(ma) }

    try {
      await this.resume()
    } catch (err) {
      this.status = { name: 'inactive' }
      throw err
    }

    foreignListeners.watch(this.server, { log: this.log, signal: this.shutdown.signal })
    await this.startMapping()
  }

  getAddrs (): Multiaddr[] {
    const address = this.server.address()

    if (address == null || (this.status.name !== 'active' && this.status.name !== 'paused')) {
      return []
    }

    if (typeof address === 'string') {
      return [multiaddr(`/unix/${encodeURIComponent(address)}`)]
    }

    const addrs = getThinWaistAddresses(this.status.listenAddr, address.port)
    const { external } = this.announcer

    if (external == null || addrs.some(addr => addr.equals(external))) {
      return addrs
    }

    // never last: the address manager takes the last one for that of the LAN
    return [external, ...addrs]
  }

  updateAnnounceAddrs (): void {

  }

  async close (options?: AbortOptions): Promise<void> {
    if (this.status.name === 'closed') {
      return
    }

    if (this.status.name !== 'inactive' && this.status.shared != null) {
      this.ports.delete(this.status.shared)
    }

    this.setStatus({ name: 'closed' })
    this.announcer.close()
    this.components.events?.removeEventListener('peer:identify', this.onIdentify)

    // also ends upgrades that are under way
    this.shutdown.abort()
    await this.mapping?.close()

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
    this.metrics.events?.increment({ [`${this.label} connection`]: true })

    if (this.status.name !== 'active') {
      resetSocket(socket)
      return
    }

    const { listenAddr, config } = this.status
    let maConn: ReturnType<typeof toMultiaddrConnection>

    try {
      maConn = toMultiaddrConnection({
        socket,
        inactivityTimeout: this.init.inboundSocketInactivityTimeout,
        metrics: this.metrics.events,
        metricPrefix: `${this.label} `,
        direction: 'inbound',
        localAddr: listenAddr,
        // the other end of a Unix socket has no address
        remoteAddr: config.type === 'unix' ? listenAddr : undefined,
        log: this.connectionLog
      })
    } catch (err: any) {
      this.log.error('inbound connection failed - %e', err)
      this.metrics.errors?.increment({ [`${this.label} inbound_to_connection`]: true })
      socket.destroy()
      return
    }

    this.log('new inbound connection %a', maConn.remoteAddr)
    this.sockets.add(socket)
    this.ports.track(socket, 'inbound')
    socket.once('close', () => {
      this.sockets.delete(socket)
      this.resumeBelowLimit()
    })

    this.options.upgrader.upgradeInbound(maConn, { signal: this.shutdown.signal })
      .then(() => {
        this.log('inbound connection upgraded %a', maConn.remoteAddr)
        this.pauseAboveLimit()
      })
      .catch(err => {
        this.log.error('inbound connection upgrade failed - %e', err)
        this.metrics.errors?.increment({ [`${this.label} inbound_upgrade`]: true })
        maConn.abort(err)
      })
  }

  /**
   * Listen, for the first time or again on the same port
   */
  private async resume (): Promise<void> {
    if (this.server.listening || (this.status.name !== 'active' && this.status.name !== 'paused')) {
      return
    }

    const { config, listenAddr } = this.status
    const { backlog } = this.init
    const listening = pEvent(this.server, 'listening')

    try {
      if (config.type === 'unix') {
        this.server.listen({ path: config.path, backlog })
      } else {
        const { host, port, family } = config
        const ipv6Only = family === 6

        if (portSharing() === 'unsupported') {
          this.server.listen({ host, port, ipv6Only, backlog })
        } else {
          assertPortFree({ host, port, ipv6Only })
          bindSocket({ host, port, ipv6Only }).listen(this.server, { backlog })
        }
      }
    } catch (err) {
      listening.cancel()
      throw err
    }

    await listening

    // closed while it began to listen
    if (this.shutdown.signal.aborted) {
      this.server.close()
      return
    }

    const address = this.server.address()
    const shared = this.share(config, address)
    this.label = address == null ? 'unknown' : typeof address === 'string' ? address : `${address.address}:${address.port}`
    this.setStatus({
      name: 'active',
      listenAddr,
      shared,
      // a port that the system chose is kept
      config: config.type === 'tcp' && shared != null ? { ...config, port: shared.port } : config
    })
    this.safeDispatchEvent('listening')
  }

  private share (config: NetConfig, address: net.AddressInfo | string | null): SharedPort | undefined {
    if (this.status.name === 'paused' && this.status.shared != null) {
      return this.status.shared
    }

    if (config.type === 'unix' || address == null || typeof address === 'string') {
      return
    }

    const shared: SharedPort = { host: address.address, port: address.port, family: net.isIPv6(address.address) ? 6 : 4 }
    this.ports.add(shared)

    return shared
  }

  private pauseAboveLimit (): void {
    const { closeServerOnMaxConnections: limits } = this.init

    if (limits == null || this.sockets.size < limits.closeAbove || this.status.name !== 'active') {
      return
    }

    this.log('pausing incoming connections as limit is exceeded - %d/%d', this.sockets.size, limits.closeAbove)
    this.setStatus({ ...this.status, name: 'paused' })
    // connections that are there stay
    this.server.close()
  }

  private resumeBelowLimit (): void {
    const { closeServerOnMaxConnections: limits } = this.init

    if (limits == null || this.sockets.size >= limits.listenBelow || this.status.name !== 'paused') {
      return
    }

    // another process may have taken the port meanwhile: the next connection
    // that closes tries again
    this.resume().catch(err => {
      this.log.error('could not listen again - %e', err)
      limits.onListenError?.(err)
    })
  }

  /**
   * Wait for the first mapping, but not for long. It never fails.
   */
  private async startMapping (): Promise<void> {
    const { stunServers = DEFAULT_STUN_SERVERS, mappingTimeout = DEFAULT_MAPPING_TIMEOUT, keepAliveInterval = DEFAULT_KEEP_ALIVE_INTERVAL } = this.init

    if (this.status.name !== 'active' || this.status.shared == null) {
      return
    }

    const { shared } = this.status
    const { host, port } = shared

    if (isLoopback(host) && !couldMapLoopback(stunServers)) {
      return
    }

    const mapping = new PublicMapping(this.components, {
      ...this.init,
      listener: toMultiaddr({ host, port }),
      stunServers,
      isHeld: () => this.ports.hold(shared, { keepAlive: keepAliveInterval, allowPrivate: this.init.allowPrivateMapping === true })
    })

    this.mapping = mapping
    mapping.addEventListener('status', ({ detail }) => { this.onMapping(detail) })
    this.components.events?.addEventListener('peer:identify', this.onIdentify)
    await this.waitForMapping(mapping, mappingTimeout)
  }

  private async waitForMapping (mapping: PublicMapping, mappingTimeout: number): Promise<void> {
    // aborting ends the wait only, the search goes on
    const signal = anySignal([this.shutdown.signal, mappingTimeout > 0 ? AbortSignal.timeout(mappingTimeout) : AbortSignal.abort()])

    await mapping.start(signal)
      .catch(err => { this.log('no mapping within %d ms - %e', mappingTimeout, err) })
      .finally(() => { signal.clear() })
  }

  private readonly onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const observed = observedAddress(detail, this.ports)

    if (observed != null && this.status.name === 'active' && observed.port === this.status.shared) {
      this.mapping?.observe(observed.host, observed.external)
    }
  }

  private onMapping (status: MappingStatus): void {
    if (this.status.name === 'closed') {
      return
    }

    this.announcer.update(status)

    try {
      this.init.onMappingChange?.(status)
    } catch (err: any) {
      this.log.error('onMappingChange failed - %e', err)
    }
  }

  private setStatus (status: Status): void {
    this.status = status
    this.metrics.status?.update({ [this.label]: STATUS_CODES[status.name] })
  }
}

/**
 * A loopback listener has no NAT in front of it, so it is only worth to ask a
 * server on loopback; where no server is valid at all, that is to be said
 */
function couldMapLoopback (servers: string[]): boolean {
  const hosts = servers.flatMap(server => {
    try {
      return [parseSTUNURI(server).host]
    } catch {
      return []
    }
  })

  return hosts.length === 0 || hosts.some(host => host === 'localhost' || isLoopback(host))
}
