import net from 'node:net'
import tls from 'node:tls'
import { AlreadyStartedError, InvalidParametersError } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { unmapIPv4 } from '../address/ip.ts'
import { isUnspecified } from '../address/scope.ts'
import { bindSocket } from '../net/bound-socket.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { Admission } from './admission.ts'
import { ClientConnection } from './client-connection.ts'
import { createCounters } from './counters.ts'
import { validateLimits } from './limits.ts'
import { DEFAULT_DRAIN_DEADLINE } from './options.ts'
import { otherAddress } from './other-address.ts'
import { readProxyHeader } from './proxied.ts'
import { networks } from './proxy-protocol.ts'
import { Responder } from './response.ts'
import type { RefusalReason } from './admission.ts'
import type { ClientHost, ResetReason } from './client-connection.ts'
import type { Limits } from './limits.ts'
import type { DrainOptions, STUNServer, STUNServerAddress, STUNServerEvents, STUNServerInit, STUNServerState, Transport } from './options.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'

/**
 * How often the memory of the process is looked at, in ms
 */
const MEMORY_INTERVAL = 1_000

const BACKLOG = 4_096
const MAX_RESPONDERS = 1_000

interface Listener {
  server: net.Server
  transport: Transport
  endpoint: Endpoint

  /**
   * Makes TLS of what `server` accepts: listens nowhere itself
   */
  secure?: tls.Server

  /**
   * By the address that clients connected to
   */
  responders: Map<string, Responder>
}

/**
 * Who connected to what: as the socket says it, or the PROXY header
 */
interface Peer {
  raw: net.Socket
  client: Endpoint
  responder: Responder
}

type Status =
  { state: 'idle' } |
  { state: 'listening' } |
  { state: 'draining', done: Promise<void> }

export class TCPSTUNServer extends TypedEventEmitter<STUNServerEvents> implements STUNServer, ClientHost {
  public readonly counters = createCounters()
  public readonly workers = []
  public readonly limits: Limits
  public alternates: Endpoint[] = []

  private readonly init: STUNServerInit
  private readonly software: string
  private readonly log?: Logger
  private readonly isTrusted: (host: string) => boolean
  private readonly admission: Admission
  private secureContext?: tls.SecureContextOptions

  /**
   * What was accepted and lives, and what its client is served on: itself, or TLS
   * above it
   */
  private readonly sockets = new Map<net.Socket, net.Socket | 'shaking'>()

  /**
   * Those that never asked anything, the oldest first
   */
  private readonly silent = new Set<net.Socket>()

  /**
   * Who is behind a TLS handshake, by the raw socket's address
   */
  private readonly shaking = new Map<string, Peer>()
  private listeners: Listener[] = []
  private status: Status = { state: 'idle' }
  private memory = { looked: -Infinity, exceeded: false }

  constructor (init: STUNServerInit) {
    super()

    this.init = init
    this.limits = validateLimits(init)
    this.software = init.software ?? 'libp2p-tcp-stun'
    this.log = init.logger?.forComponent('libp2p:tcp-stun:server')
    this.isTrusted = (init.trustedProxies ?? []).length === 0 ? () => false : networks(init.trustedProxies ?? [])
    this.admission = new Admission(this.limits)
    this.secureContext = init.tls

    if (init.tls != null && (init.tls.cert == null || init.tls.key == null) && init.tls.pfx == null) {
      throw new InvalidParametersError('tls needs cert and key, or pfx')
    }
  }

  get addresses (): STUNServerAddress[] {
    return this.listeners.map(({ endpoint, transport }) => ({ ...endpoint, transport }))
  }

  get state (): STUNServerState {
    return this.status.state
  }

  /**
   * With `reusePort` other processes share the ports
   */
  async listen (options: AbortOptions & { reusePort?: boolean } = {}): Promise<void> {
    if (this.status.state !== 'idle') {
      throw new AlreadyStartedError('The STUN server is already listening')
    }

    this.status = { state: 'listening' }
    const { listen = [{ host: '0.0.0.0', port: 3478 }], tls: secure } = this.init

    try {
      for (const endpoint of listen) {
        await this.open('tcp', endpoint, options)
      }

      for (const endpoint of secure == null ? [] : secure.listen ?? [{ host: '0.0.0.0', port: 5349 }]) {
        await this.open('tls', endpoint, options)
      }
    } catch (err) {
      await this.close()
      throw err
    }
  }

  async updateTLS (options: tls.SecureContextOptions): Promise<void> {
    if (this.init.tls == null) {
      throw new InvalidParametersError('The server has no TLS')
    }

    // throws before anything has changed
    tls.createSecureContext(options)
    this.secureContext = options
    this.listeners.forEach(({ secure }) => { secure?.setSecureContext(options) })
  }

  async drain (options: DrainOptions = {}): Promise<void> {
    if (this.status.state === 'listening') {
      this.status = { state: 'draining', done: this.drained(options) }
    }

    if (this.status.state === 'draining') {
      await this.status.done
    }
  }

  async close (): Promise<void> {
    const listeners = this.listeners
    this.listeners = []
    const closed = Promise.all(listeners.map(async ({ server }) => closeServer(server)))
    this.sockets.forEach((_, socket) => { this.drop(socket, 'closed') })
    await closed
    this.alternates = []
    this.status = { state: 'idle' }
  }

  onReaction (client: ClientConnection, outcome: 'success' | 'ignore' | 300 | 400 | 420): void {
    if (outcome !== 'ignore' && this.silent.size > 0) {
      this.silent.delete(client.raw)
    }

    if (outcome === 'ignore') {
      this.counters.ignored++
    } else if (outcome === 'success') {
      this.counters.bindings++

      if (this.listenerCount('binding') > 0) {
        this.safeDispatchEvent('binding', { detail: { client: client.endpoint, server: client.responder.server, transport: client.socket === client.raw ? 'tcp' : 'tls' } })
      }
    } else {
      this.counters.errors[outcome]++
    }
  }

  reset (client: ClientConnection, reason: ResetReason, err?: Error): void {
    this.drop(client.raw, reason, client.endpoint, err)
  }

  private async drained ({ deadline = DEFAULT_DRAIN_DEADLINE, signal }: DrainOptions): Promise<void> {
    this.alternates = this.init.alternateServers ?? []
    // closed once its last connection is
    const gone = Promise.all(this.listeners.map(async ({ server }) => closeServer(server)))
    const over = new Promise<void>(resolve => {
      const timer = setTimeout(resolve, deadline)
      const stop = (): void => {
        clearTimeout(timer)
        resolve()
      }
      signal?.addEventListener('abort', stop, { once: true })
      void gone.then(() => {
        signal?.removeEventListener('abort', stop)
        stop()
      })
    })

    await over
    await this.close()
  }

  private async open (transport: Transport, { host, port }: Endpoint, options: AbortOptions & { reusePort?: boolean }): Promise<void> {
    options.signal?.throwIfAborted()
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: this.limits.keepAliveDelay })
    const listener: Listener = { server, transport, endpoint: { host, port }, responders: new Map() }

    if (transport === 'tls') {
      listener.secure = this.createTLSServer()
    }

    server.on('connection', socket => { this.onConnection(socket, listener) })

    if (options.reusePort === true) {
      bindSocket({ host, port, ipv6Only: net.isIPv6(host) }).listen(server, { backlog: BACKLOG })
    } else {
      server.listen({ host, port, ipv6Only: net.isIPv6(host), backlog: BACKLOG })
    }

    await pEvent(server, 'listening', options)
    server.on('error', err => { this.log?.error('listening on %s failed - %e', host, err) })

    const address = server.address() as net.AddressInfo
    listener.endpoint = { host: address.address, port: address.port }
    this.listeners.push(listener)
    // they name each other
    this.listeners.forEach(({ responders }) => { responders.clear() })
    this.log?.('listening on %s port %d for %s', address.address, address.port, transport)
  }

  private createTLSServer (): tls.Server {
    const server = tls.createServer({ ...this.secureContext, allowHalfOpen: true, handshakeTimeout: this.limits.messageTimeout })

    server.on('tlsClientError', (err, socket) => {
      this.counters.resets.tls++
      this.log?.('TLS with %s failed - %e', socket.remoteAddress, err)
      socket.destroy()
    })
    server.on('secureConnection', socket => {
      const peer = this.shaking.get(`${socket.remoteAddress} ${socket.remotePort}`)

      if (peer != null) {
        socket.on('error', ignore)
        this.sockets.set(peer.raw, socket)
        this.serve(socket, peer)
      }
    })

    return server
  }

  private onConnection (socket: net.Socket, listener: Listener): void {
    const { remoteAddress, remotePort } = socket
    socket.on('error', ignore)

    if (remoteAddress == null || remotePort == null) {
      this.refuse(socket, 'gone')
      return
    }

    const refusal = this.refusalOfAll()

    if (refusal != null) {
      this.refuse(socket, refusal, remoteAddress)
      return
    }

    const client = { host: unmapIPv4(remoteAddress), port: remotePort }

    if (!this.isTrusted(client.host)) {
      this.onPeer(socket, listener, client)
      return
    }

    this.accept(socket)
    readProxyHeader(socket, this.limits.messageTimeout, header => {
      if (header.type === 'proxied') {
        this.onPeer(socket, listener, header.source, header.destination)
      } else {
        this.onAccepted(socket, listener, client)
      }
    }, err => { this.drop(socket, 'proxy-header', client, err) })
  }

  /**
   * A connection whose client is known is limited by its address
   */
  private onPeer (socket: net.Socket, listener: Listener, client: Endpoint, destination?: Endpoint): void {
    const refusal = this.admission.admit(client.host, performance.now())

    if (refusal != null) {
      this.refuse(socket, refusal, client.host)
      return
    }

    if (destination == null) {
      this.accept(socket, client.host)
    } else {
      socket.on('close', () => { this.admission.release(client.host) })
    }

    this.onAccepted(socket, listener, client, destination)
  }

  private accept (socket: net.Socket, admitted?: string): void {
    this.counters.accepted++
    this.counters.connections++
    this.sockets.set(socket, socket)
    this.silent.add(socket)
    // not once(): that makes three objects more of each
    socket.on('close', () => {
      this.counters.connections--
      this.sockets.delete(socket)
      this.silent.delete(socket)

      if (admitted != null) {
        this.admission.release(admitted)
      }
    })
  }

  private onAccepted (socket: net.Socket, listener: Listener, client: Endpoint, destination?: Endpoint): void {
    const peer = { raw: socket, client, responder: this.responderFor(socket, listener, destination) }

    if (listener.secure == null) {
      this.serve(socket, peer)
      return
    }

    const key = `${socket.remoteAddress} ${socket.remotePort}`
    this.shaking.set(key, peer)
    this.sockets.set(socket, 'shaking')
    socket.once('close', () => { this.shaking.delete(key) })
    listener.secure.emit('connection', socket)
  }

  private serve (socket: net.Socket, { raw, client, responder }: Peer): void {
    // eslint-disable-next-line no-new
    new ClientConnection(socket, raw, client, responder, this)
    socket.resume()
  }

  private responderFor (socket: net.Socket, listener: Listener, destination?: Endpoint): Responder {
    const { host, port } = listener.endpoint
    const server = destination ?? { host: isUnspecified(host) ? unmapIPv4(socket.localAddress ?? host) : host, port }
    const key = `${server.host} ${server.port}`
    let responder = listener.responders.get(key)

    if (responder == null) {
      // what else a proxy listens on is not known here
      const others = destination != null ? [] : this.listeners.filter(({ transport }) => transport === listener.transport)
      responder = new Responder({ server, other: otherAddress(server, others.map(({ endpoint }) => endpoint)), software: this.software })

      // a proxy that names another destination each time must not fill our memory
      if (listener.responders.size >= MAX_RESPONDERS) {
        listener.responders.clear()
      }

      listener.responders.set(key, responder)
    }

    return responder
  }

  /**
   * Why nobody at all is accepted now
   */
  private refusalOfAll (): 'memory' | 'connections' | undefined {
    const now = performance.now()

    if (now - this.memory.looked >= MEMORY_INTERVAL) {
      this.memory = { looked: now, exceeded: process.memoryUsage.rss() > this.limits.maxMemory }
    }

    if (this.memory.exceeded) {
      return 'memory'
    }

    if (this.sockets.size < this.limits.maxConnections) {
      return
    }

    const [oldest] = this.silent

    if (oldest == null) {
      return 'connections'
    }

    this.drop(oldest, 'displaced')
  }

  private refuse (socket: net.Socket, reason: RefusalReason, host?: string): void {
    this.counters.refused[reason]++
    resetSocket(socket)

    if (this.listenerCount('refuse') > 0) {
      this.safeDispatchEvent('refuse', { detail: { host, reason } })
    }
  }

  private drop (raw: net.Socket, reason: ResetReason, client?: Endpoint, err?: Error): void {
    const top = this.sockets.get(raw)

    if (top == null || raw.destroyed) {
      return
    }

    this.counters.resets[reason]++

    if (client != null && this.listenerCount('reset') > 0) {
      this.safeDispatchEvent('reset', { detail: { client, reason, message: err?.message } })
    }

    if (top === raw) {
      resetSocket(raw)
    } else {
      // a reset below a TLS session crashes Node 24
      (top === 'shaking' ? raw : top).destroy()
    }
  }
}

function ignore (): void {}

async function closeServer (server: net.Server): Promise<void> {
  return new Promise(resolve => { server.close(() => { resolve() }) })
}
