import { AbortError, AlreadyStartedError, InvalidParametersError } from '@libp2p/interface'
import { anySignal } from 'any-signal'
import { TypedEventEmitter } from 'main-event'
import { raceSignal } from 'race-signal'
import { resetSocket } from '../net/reset-socket.ts'
import { createCounters } from './counters.ts'
import { validateLimits } from './limits.ts'
import { Listener } from './listener.ts'
import { drainDeadline } from './options.ts'
import { ConnectionPipeline } from './pipeline.ts'
import { Responders } from './responders.ts'
import type { Connection } from './connection.ts'
import type { Limits } from './limits.ts'
import type {
  DrainOptions, ListenOptions, STUNServer, STUNServerAddress, STUNServerEvents, STUNServerInit, STUNServerState,
  STUNTransport
} from './options.ts'
import type { Responder } from './response.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { Socket } from 'node:net'
import type { SecureContext, SecureContextOptions } from 'node:tls'

const DEFAULT_LISTEN = [{ host: '0.0.0.0', port: 3478 }]
const DEFAULT_TLS_LISTEN = [{ host: '0.0.0.0', port: 5349 }]

type Status =
  { state: 'idle' } |
  { state: 'listening', controller: AbortController } |
  { state: 'draining', done: Promise<void> } |
  { state: 'closing', done: Promise<void> }

/**
 * Listens, drains and closes. `ConnectionPipeline` handles each connection.
 */
export class TCPSTUNServer extends TypedEventEmitter<STUNServerEvents> implements STUNServer {
  public readonly counters = createCounters()
  public readonly limits: Limits

  private readonly init: STUNServerInit
  private readonly log?: Logger
  private readonly pipeline: ConnectionPipeline
  private readonly certificate?: { secureContext: SecureContext }
  private listeners: Listener[] = []
  private readonly adopted: Responders
  private status: Status = { state: 'idle' }

  constructor (init: STUNServerInit) {
    super()

    this.init = init
    this.limits = validateLimits(init)
    this.log = init.logger?.forComponent('libp2p:tcp-stun:server')

    if (init.tls != null) {
      this.certificate = { secureContext: createSecureContext(init.tls) }
    }

    this.adopted = this.createResponders()
    this.pipeline = new ConnectionPipeline({
      limits: this.limits,
      counters: this.counters,
      trustedProxies: init.trustedProxies ?? [],
      events: this,
      log: this.log
    })
  }

  get addresses (): STUNServerAddress[] {
    return this.listeners
      .filter(({ server }) => server.listening)
      .map(({ endpoint, transport }) => ({ ...endpoint, transport }))
  }

  get state (): STUNServerState {
    if (this.status.state === 'listening') {
      return this.pipeline.refusing == null ? 'listening' : 'overloaded'
    }

    return this.status.state === 'closing' ? 'draining' : this.status.state
  }

  async listen (options: ListenOptions = {}): Promise<void> {
    if (this.status.state !== 'idle') {
      throw new AlreadyStartedError('The STUN server is already listening')
    }

    const controller = new AbortController()
    const status: Status = { state: 'listening', controller }
    const signal = anySignal([controller.signal, options.signal])
    const { listen = DEFAULT_LISTEN, tls } = this.init
    const secure = tls == null ? [] : (tls.listen ?? DEFAULT_TLS_LISTEN)
    this.status = status

    try {
      for (const endpoint of listen) {
        await this.open('tcp', endpoint, { ...options, signal })
      }

      for (const endpoint of secure) {
        await this.open('tls', endpoint, { ...options, signal })
      }

      this.pipeline.memory.start()
    } catch (err) {
      if (this.status === status) {
        await this.close()
      }

      throw err
    } finally {
      signal.clear()
    }
  }

  accept (socket: Socket): void {
    if (this.status.state !== 'listening') {
      resetSocket(socket)
      return
    }

    socket.setKeepAlive(true, this.limits.keepAliveDelay)
    void this.pipeline.handle(socket, {
      isDirect: true,
      responderFor: ({ server }) => this.adopted.get(server, this.endpointsOf('tcp'))
    })
  }

  async updateTLS (options: SecureContextOptions): Promise<void> {
    if (this.certificate == null) {
      throw new InvalidParametersError('The server has no TLS')
    }

    this.certificate.secureContext = createSecureContext(options)
  }

  async drain (options: DrainOptions = {}): Promise<void> {
    if (this.status.state === 'listening') {
      const deadline = drainDeadline(options)
      this.stopOpening()
      this.status = { state: 'draining', done: this.startDraining(deadline, options) }
    }

    if (this.status.state === 'draining') {
      await this.status.done
    }
  }

  async close (): Promise<void> {
    if (this.status.state === 'idle') {
      return
    }

    if (this.status.state !== 'closing') {
      this.stopOpening()
      this.status = { state: 'closing', done: this.end() }
    }

    await this.status.done
  }

  private async end (): Promise<void> {
    const closed = Promise.all(this.listeners.splice(0).map(async listener => listener.close()))
    this.pipeline.dropAll()
    await closed
    this.pipeline.alternates = []
    this.status = { state: 'idle' }
  }

  /**
   * A `listen()` under way opens no more listeners
   */
  private stopOpening (): void {
    if (this.status.state === 'listening') {
      this.status.controller.abort(new AbortError('The STUN server was closed'))
    }
  }

  private async startDraining (deadline: number, { signal }: AbortOptions): Promise<void> {
    this.pipeline.alternates = this.init.alternateServers ?? []
    const timeout = new AbortController()
    const timer = setTimeout(() => { timeout.abort() }, deadline)
    const over = anySignal([timeout.signal, signal])

    try {
      // each listener has closed when its last connection has
      await raceSignal(Promise.all(this.listeners.map(async listener => listener.close())), over)
    } catch {
      // the deadline
    } finally {
      clearTimeout(timer)
      over.clear()
    }

    await this.close()
  }

  private async open (
    transport: STUNTransport,
    endpoint: Endpoint,
    { reusePort = false, signal }: ListenOptions
  ): Promise<void> {
    signal?.throwIfAborted()
    const certificate = transport === 'tls' ? this.certificate : undefined
    const responderFor = (connection: Connection): Responder => this.responderFor(connection, listener)
    const listener: Listener = new Listener({
      endpoint,
      transport,
      reusePort,
      responders: this.createResponders(),
      keepAliveDelay: this.limits.keepAliveDelay,
      onConnection: socket => { void this.pipeline.handle(socket, { certificate, responderFor }) }
    })
    this.listeners.push(listener)

    await raceSignal(listener.ready, signal)
    listener.server.on('error', err => { this.log?.error('a listener on %s failed - %e', endpoint.host, err) })
    // listeners name each other
    this.listeners.forEach(({ responders }) => { responders.clear() })
    this.adopted.clear()
    this.log?.('listening on %s port %d for %s', listener.endpoint.host, listener.endpoint.port, transport)
  }

  private responderFor ({ server, isProxied }: Connection, { transport, responders }: Listener): Responder {
    // the listeners of a proxy are not known here
    return responders.get(server, isProxied ? [] : this.endpointsOf(transport))
  }

  private endpointsOf (transport: STUNTransport): Endpoint[] {
    return this.listeners.filter(listener => listener.transport === transport).map(({ endpoint }) => endpoint)
  }

  private createResponders (): Responders {
    return new Responders(this.init.software ?? 'libp2p-tcp-stun', this.init.credential)
  }
}

/**
 * @throws {InvalidParametersError} there is no certificate
 */
function createSecureContext (options: SecureContextOptions): SecureContext {
  if ((options.cert == null || options.key == null) && options.pfx == null) {
    throw new InvalidParametersError('tls needs cert and key, or pfx')
  }

  // on demand: it takes as long to load as the rest of the server
  return process.getBuiltinModule('node:tls').createSecureContext({ honorCipherOrder: true, ...options })
}
