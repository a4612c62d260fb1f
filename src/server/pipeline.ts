import { resetSocket } from '../net/reset-socket.ts'
import { startTLS } from '../net/start-tls.ts'
import { Admission } from './admission.ts'
import { ClientSession } from './client-session.ts'
import { accept } from './connection.ts'
import { MemoryWatch } from './memory.ts'
import { networkMatcher } from './proxy-protocol.ts'
import { readProxyHeader } from './read-proxy-header.ts'
import type { RefusalReason } from './admission.ts'
import type { ResetReason, SessionHost } from './client-session.ts'
import type { Connection } from './connection.ts'
import type { STUNServerCounters } from './counters.ts'
import type { Limits } from './limits.ts'
import type { STUNServerEvents } from './options.ts'
import type { Outcome, Responder } from './response.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Logger } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'

/**
 * What a connection is accepted for
 */
export interface Entrance {
  /**
   * Its certificate for connections from now on; none where there is no TLS
   */
  readonly certificate?: { secureContext: SecureContext }

  /**
   * Whether no proxy is in between, whoever is at the other end
   */
  readonly isDirect?: boolean

  responderFor(connection: Connection): Responder
}

export interface PipelineInit {
  limits: Limits
  counters: STUNServerCounters
  trustedProxies: string[]

  /**
   * Where events are dispatched that somebody listens to
   */
  events: TypedEventTarget<STUNServerEvents>
  log?: Logger
}

/**
 * The steps of a connection:
 *
 * 1. accepted: the server has room for it, and knows its addresses
 * 2. proxied: where the peer is a trusted proxy, its header has named the client
 * 3. admitted: the client's address and network keep within their limits
 * 4. secured: on a TLS listener, the handshake is done
 * 5. served: requests are answered until the client closes
 */
export class ConnectionPipeline implements SessionHost {
  readonly limits: Limits
  alternates: Endpoint[] = []
  readonly memory: MemoryWatch

  private readonly counters: STUNServerCounters
  private readonly events: TypedEventTarget<STUNServerEvents>
  private readonly log?: Logger
  private readonly isTrusted: (host: string) => boolean
  private readonly admission: Admission
  private readonly open = new Set<Connection>()

  /**
   * Those without a response yet, the oldest first: they make room when the server
   * is full
   */
  private readonly unanswered = new Set<Connection>()

  constructor ({ limits, counters, trustedProxies, events, log }: PipelineInit) {
    this.limits = limits
    this.counters = counters
    this.events = events
    this.log = log
    this.isTrusted = trustedProxies.length === 0 ? () => false : networkMatcher(trustedProxies)
    this.admission = new Admission(limits)
    this.memory = new MemoryWatch(limits)
  }

  /**
   * Why every new connection is refused now
   */
  get refusing (): 'memory' | 'connections' | undefined {
    if (this.memory.isExceeded(this.open.size)) {
      return 'memory'
    }

    if (this.open.size >= this.limits.maxConnections && this.unanswered.size === 0) {
      return 'connections'
    }
  }

  async handle (socket: Socket, entrance: Entrance): Promise<void> {
    const connection = accept(socket)
    const refusal = connection == null ? 'gone' : this.refusing

    if (connection == null || refusal != null) {
      resetSocket(socket)
      this.onRefused(refusal ?? 'gone', connection?.client.host)
      return
    }

    const admitted = entrance.isDirect !== true && this.isTrusted(connection.client.host)
      ? await this.admitProxied(connection)
      : this.admit(connection)

    if (admitted && await this.secure(connection, entrance)) {
      this.serve(connection, entrance)
    }
  }

  /**
   * End all connections
   */
  dropAll (): void {
    this.open.forEach(connection => { this.drop(connection, 'closed') })
  }

  drop (connection: Connection, reason: ResetReason, err?: Error): void {
    if (connection.dropped || connection.raw.destroyed) {
      return
    }

    this.counters.resets[reason]++
    this.unanswered.delete(connection)
    connection.drop()

    if (reason !== 'closed' && this.events.listenerCount('reset') > 0) {
      this.events.safeDispatchEvent('reset', { detail: { client: connection.client, reason, message: err?.message } })
    }
  }

  onMessage ({ connection, responder }: ClientSession, outcome: Outcome): void {
    if (outcome === 'ignore') {
      this.counters.ignored++
      return
    }

    // usually empty, and cheaper to ask than to search
    if (this.unanswered.size > 0) {
      this.unanswered.delete(connection)
    }

    if (outcome !== 'success') {
      this.counters.errors[outcome]++
      return
    }

    this.counters.bindings++

    if (this.events.listenerCount('binding') > 0) {
      const transport = connection.stream === connection.raw ? 'tcp' : 'tls'
      this.events.safeDispatchEvent('binding', {
        detail: { client: connection.client, server: responder.server, transport }
      })
    }
  }

  /**
   * A proxy names the client, so the connection counts before the client is known
   */
  private async admitProxied (connection: Connection): Promise<boolean> {
    this.track(connection)
    const header = await readProxyHeader(connection.raw, this.limits.messageTimeout)
      .catch((err: Error) => { this.drop(connection, 'proxy-header', err) })

    if (header == null || connection.raw.destroyed) {
      return false
    }

    // health checks by the proxy itself are not limited
    if (header.type === 'local') {
      this.counters.accepted++
      return true
    }

    connection.proxied(header.source, header.destination)

    return this.admit(connection)
  }

  private admit (connection: Connection): boolean {
    const { host } = connection.client
    const refusal = this.admission.admit(host, performance.now())

    if (refusal != null) {
      connection.drop()
      this.onRefused(refusal, host)
      return false
    }

    this.counters.accepted++
    connection.raw.on('close', () => { this.admission.release(host) })
    this.track(connection)

    return true
  }

  private track (connection: Connection): void {
    if (this.open.has(connection)) {
      return
    }

    if (this.open.size >= this.limits.maxConnections) {
      this.makeRoom()
    }

    this.counters.connections++
    this.open.add(connection)
    this.unanswered.add(connection)
    connection.raw.on('close', () => {
      this.counters.connections--
      this.open.delete(connection)
      this.unanswered.delete(connection)
    })
  }

  private makeRoom (): void {
    const [oldest] = this.unanswered

    if (oldest != null) {
      this.drop(oldest, 'displaced')
    }
  }

  private async secure (connection: Connection, { certificate }: Entrance): Promise<boolean> {
    if (connection.raw.destroyed) {
      return false
    }

    if (certificate == null) {
      return true
    }

    const { stream, secured } = startTLS(connection.raw, {
      secureContext: certificate.secureContext,
      timeout: this.limits.messageTimeout,
      isTerse: true,
      onError: err => {
        this.log?.trace('TLS with %s failed - %e', connection.client.host, err)
        this.drop(connection, 'tls', err)
      }
    })
    // from now on it is the TLS session, which belongs to this connection and no other
    connection.stream = stream

    return await secured && !connection.raw.destroyed
  }

  private serve (connection: Connection, entrance: Entrance): void {
    // eslint-disable-next-line no-new
    new ClientSession(connection, entrance.responderFor(connection), this)
    connection.stream.resume()
  }

  private onRefused (reason: RefusalReason, host?: string): void {
    this.counters.refused[reason]++

    if (this.events.listenerCount('refuse') > 0) {
      this.events.safeDispatchEvent('refuse', { detail: { host, reason } })
    }
  }
}
