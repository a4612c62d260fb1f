import net from 'node:net'
import tls from 'node:tls'
import { AlreadyStartedError, InvalidParametersError } from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { resetSocket } from '../net/reset-socket.ts'
import { serveClient } from './client-connection.ts'
import { validateLimits } from './limits.ts'
import type { ResetReason } from './client-connection.ts'
import type { Limits } from './limits.ts'
import type { Reaction } from './response.ts'
import type { Endpoint } from '../stun/endpoint.ts'
import type { AbortOptions, ComponentLogger, Logger } from '@libp2p/interface'

export interface STUNServerInit extends Partial<Limits> {
  /**
   * Where to listen for TCP. With several of one family each is the
   * OTHER-ADDRESS of another.
   *
   * @default [{ host: '0.0.0.0', port: 3478 }]
   */
  listen?: Endpoint[]

  /**
   * Listen for TLS too: `stuns:`
   */
  tls?: STUNServerTLSInit

  /**
   * What the server calls itself, the SOFTWARE attribute
   *
   * @default 'libp2p-tcp-stun'
   */
  software?: string

  logger?: ComponentLogger
}

export interface STUNServerTLSInit extends tls.SecureContextOptions {
  /**
   * Where to listen for TLS
   *
   * @default [{ host: '0.0.0.0', port: 5349 }]
   */
  listen?: Endpoint[]
}

export interface STUNServerAddress extends Endpoint {
  transport: 'tcp' | 'tls'
}

/**
 * A client asked for its address
 */
export interface BindingEvent {
  /**
   * The client's address as the server sees it
   */
  client: Endpoint

  /**
   * The server's address that it connected to
   */
  server: Endpoint

  transport: 'tcp' | 'tls'
}

export interface STUNServerEvents {
  /**
   * A Binding request was answered with success
   */
  binding: CustomEvent<BindingEvent>
}

/**
 * What the server has done since it was made
 */
export interface STUNServerCounters {
  /** Connections that live now */
  connections: number
  /** Connections that were accepted */
  accepted: number
  /** Connections that were refused because there were too many */
  refused: number
  /** Binding requests that were answered with success */
  bindings: number
  /** Requests that were answered with an error */
  errors: number
  /** Messages that get no answer: indications, responses, wrong fingerprints */
  ignored: number
  /** Connections that were reset, by reason */
  resets: Record<ResetReason, number>
}

/**
 * Answers Binding requests over TCP and TLS, and keeps each connection until
 * the client closes it.
 */
export interface STUNServer extends TypedEventEmitter<STUNServerEvents> {
  /**
   * Where it listens, with the real ports
   */
  readonly addresses: STUNServerAddress[]

  readonly counters: STUNServerCounters

  /**
   * Begin to listen, everywhere or nowhere
   *
   * @throws the system's error, say with code EADDRINUSE
   */
  listen(options?: AbortOptions): Promise<void>

  /**
   * Stop listening and reset all connections
   */
  close(): Promise<void>
}

interface Listener {
  server: net.Server
  transport: 'tcp' | 'tls'
  endpoint: Endpoint
}

export class TCPSTUNServer extends TypedEventEmitter<STUNServerEvents> implements STUNServer {
  public readonly counters: STUNServerCounters = {
    connections: 0,
    accepted: 0,
    refused: 0,
    bindings: 0,
    errors: 0,
    ignored: 0,
    resets: { 'not-stun': 0, 'message-timeout': 0, rate: 0, 'not-reading': 0 }
  }

  private readonly init: STUNServerInit
  private readonly limits: Limits
  private readonly software: string
  private readonly log?: Logger
  private readonly sockets = new Set<net.Socket>()
  private readonly clients = new Map<string, number>()
  private listeners: Listener[] = []

  constructor (init: STUNServerInit) {
    super()

    this.init = init
    this.limits = validateLimits(init)
    this.software = init.software ?? 'libp2p-tcp-stun'
    this.log = init.logger?.forComponent('libp2p:tcp-stun:server')

    if (init.tls != null && (init.tls.cert == null || init.tls.key == null) && init.tls.pfx == null) {
      throw new InvalidParametersError('tls needs cert and key, or pfx')
    }
  }

  get addresses (): STUNServerAddress[] {
    return this.listeners.map(({ endpoint, transport }) => ({ ...endpoint, transport }))
  }

  async listen (options: AbortOptions = {}): Promise<void> {
    if (this.listeners.length > 0) {
      throw new AlreadyStartedError('The STUN server is already listening')
    }

    const { listen = [{ host: '0.0.0.0', port: 3478 }], tls: secure } = this.init

    try {
      for (const endpoint of listen) {
        await this.open(net.createServer({ allowHalfOpen: true, noDelay: true }), 'tcp', endpoint, options)
      }

      for (const endpoint of secure == null ? [] : secure.listen ?? [{ host: '0.0.0.0', port: 5349 }]) {
        const server = tls.createServer({ ...secure, allowHalfOpen: true, noDelay: true, handshakeTimeout: this.limits.messageTimeout })
        server.on('tlsClientError', (err, socket) => { socket.destroy(err) })
        await this.open(server, 'tls', endpoint, options)
      }
    } catch (err) {
      await this.close()
      throw err
    }
  }

  async close (): Promise<void> {
    const listeners = this.listeners
    this.listeners = []

    const closed = Promise.all(listeners.map(async ({ server }) => new Promise<void>(resolve => {
      server.close(() => { resolve() })
    })))

    this.sockets.forEach(socket => { resetSocket(socket) })
    await closed
  }

  private async open (server: net.Server, transport: 'tcp' | 'tls', { host, port }: Endpoint, options: AbortOptions): Promise<void> {
    options.signal?.throwIfAborted()
    const listener: Listener = { server, transport, endpoint: { host, port } }

    // a TLS server has the raw connections too: limits come before handshakes
    server.on('connection', (socket: net.Socket) => { this.onConnection(socket) })
    server.on(transport === 'tcp' ? 'connection' : 'secureConnection', (socket: net.Socket) => { this.onClient(socket, listener) })

    server.listen({ host, port, ipv6Only: net.isIPv6(host), backlog: 4_096 })
    await pEvent(server, 'listening', options)
    server.on('error', err => { this.log?.error('listening on %s failed - %e', host, err) })

    const address = server.address() as net.AddressInfo
    listener.endpoint = { host: address.address, port: address.port }
    this.listeners.push(listener)
    this.log?.('listening on %s port %d for %s', address.address, address.port, transport)
  }

  private onConnection (socket: net.Socket): void {
    const address = socket.remoteAddress
    const count = this.clients.get(address ?? '') ?? 0

    // gone already, or too many
    if (address == null || this.sockets.size >= this.limits.maxConnections || count >= this.limits.maxConnectionsPerAddress) {
      this.counters.refused++
      socket.on('error', () => {})
      socket.resetAndDestroy()
      return
    }

    this.counters.accepted++
    this.counters.connections++
    this.sockets.add(socket)
    this.clients.set(address, count + 1)
    // a client that lost its power never closes
    socket.setKeepAlive(true, this.limits.keepAliveDelay)
    socket.on('error', () => {})
    socket.once('close', () => {
      this.counters.connections--
      this.sockets.delete(socket)
      const left = (this.clients.get(address) ?? 1) - 1

      if (left === 0) {
        this.clients.delete(address)
      } else {
        this.clients.set(address, left)
      }
    })
  }

  private onClient (socket: net.Socket, listener: Listener): void {
    const { remoteAddress, remotePort, localAddress, localPort } = socket

    if (socket.destroyed || remoteAddress == null || remotePort == null || localAddress == null || localPort == null) {
      return
    }

    const client = { host: unmapIPv4(remoteAddress), port: remotePort }
    const server = { host: unmapIPv4(localAddress), port: localPort }

    serveClient({
      socket,
      limits: this.limits,
      origin: { client, server, other: this.otherAddress(listener, server), software: this.software },
      onReaction: reaction => { this.onReaction(reaction, { client, server, transport: listener.transport }) },
      onReset: (reason, err) => {
        this.counters.resets[reason]++
        this.log?.('reset %s port %d: %s %s', client.host, client.port, reason, err?.message ?? '')
      }
    })
  }

  private onReaction (reaction: Reaction, event: BindingEvent): void {
    if (reaction.type === 'ignore') {
      this.counters.ignored++
    } else if (reaction.outcome === 'success') {
      this.counters.bindings++
      this.safeDispatchEvent('binding', { detail: event })
    } else {
      this.counters.errors++
    }
  }

  /**
   * Another listener of the same family and transport, best at another address.
   * One on all addresses is reached at the address that the client has.
   */
  private otherAddress (listener: Listener, server: Endpoint): Endpoint | undefined {
    const others = this.listeners
      .filter(other => other !== listener && other.transport === listener.transport && net.isIP(other.endpoint.host) === net.isIP(server.host))
      .map(({ endpoint }) => ({ ...endpoint, host: isUnspecified(endpoint.host) ? server.host : endpoint.host }))
      .filter(({ host, port }) => host !== server.host || port !== server.port)

    return others.find(({ host }) => host !== server.host) ?? others[0]
  }
}

function isUnspecified (host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/**
 * A socket for both families reports IPv4 as ::ffff:1.2.3.4
 */
function unmapIPv4 (host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice('::ffff:'.length) : host
}
