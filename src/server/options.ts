import type { RefusalReason } from './admission.ts'
import type { ResetReason } from './client-connection.ts'
import type { STUNServerCounters } from './counters.ts'
import type { Limits } from './limits.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { AbortOptions, ComponentLogger } from '@libp2p/interface'
import type { TypedEventEmitter } from 'main-event'
import type { SecureContextOptions } from 'node:tls'

export interface STUNServerInit extends Partial<Limits> {
  /**
   * Where to listen for TCP. With several of one family each names another as
   * OTHER-ADDRESS: two addresses with two ports each are what RFC 5780 asks for.
   *
   * @default [{ host: '0.0.0.0', port: 3478 }]
   */
  listen?: Endpoint[]

  /**
   * Listen for TLS too: `stuns:`
   */
  tls?: STUNServerTLSInit

  /**
   * The networks of the load balancers in front of this server, like
   * `10.0.0.0/8`. A connection from there must begin with a PROXY protocol
   * header, version 1 or 2, which is believed. From anywhere else a header is no
   * STUN, and reset.
   *
   * @default []
   */
  trustedProxies?: string[]

  /**
   * Where clients are sent to (ALTERNATE-SERVER) while this server drains, the
   * one of their family
   *
   * @default []
   */
  alternateServers?: Endpoint[]

  /**
   * Serve from so many processes that share the ports (SO_REUSEPORT, Linux). Each
   * has its share of the limits. One that dies is replaced, and loses only its
   * own connections. They send `binding`, `reset` and `refuse` events while somebody
   * listens to them, and leave some out of a flood. 0 serves from this process.
   *
   * @default 0
   */
  workers?: number

  /**
   * What the server calls itself, the SOFTWARE attribute
   *
   * @default 'libp2p-tcp-stun'
   */
  software?: string

  logger?: ComponentLogger
}

export interface STUNServerTLSInit extends SecureContextOptions {
  /**
   * Where to listen for TLS
   *
   * @default [{ host: '0.0.0.0', port: 5349 }]
   */
  listen?: Endpoint[]
}

export type Transport = 'tcp' | 'tls'

export interface STUNServerAddress extends Endpoint {
  transport: Transport
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

  transport: Transport
}

/**
 * A connection was reset from this side
 */
export interface ResetEvent {
  client: Endpoint
  reason: ResetReason

  /**
   * What was wrong, in words
   */
  message?: string
}

/**
 * A connection was refused
 */
export interface RefuseEvent {
  /**
   * Its address, if it was still there
   */
  host?: string
  reason: RefusalReason
}

/**
 * A worker process ended without having been asked to, and is replaced
 */
export interface WorkerExitEvent {
  pid: number

  /**
   * Its exit code, or the signal that ended it
   */
  cause: number | string
}

export interface STUNServerEvents {
  /**
   * A Binding request was answered with success
   */
  binding: CustomEvent<BindingEvent>
  reset: CustomEvent<ResetEvent>
  refuse: CustomEvent<RefuseEvent>
  'worker:exit': CustomEvent<WorkerExitEvent>

  /**
   * The replacement of a worker that ended serves now, or a first worker
   */
  'worker:start': CustomEvent<{ pid: number }>
}

export interface DrainOptions extends AbortOptions {
  /**
   * After so many ms the connections that are left are reset
   *
   * @default 30_000
   */
  deadline?: number
}

export const DEFAULT_DRAIN_DEADLINE = 30_000

/**
 * - `idle`: not listening
 * - `listening`: all is well
 * - `degraded`: a worker is being replaced
 * - `draining`: it accepts nobody, and waits for its clients to go
 */
export type STUNServerState = 'idle' | 'listening' | 'degraded' | 'draining'

/**
 * Answers Binding requests over TCP and TLS, and keeps each connection until
 * the client closes it.
 */
export interface STUNServer extends TypedEventEmitter<STUNServerEvents> {
  /**
   * Where it listens, with the real ports
   */
  readonly addresses: STUNServerAddress[]

  readonly state: STUNServerState

  /**
   * With workers their sum, at most a second old
   */
  readonly counters: STUNServerCounters

  /**
   * The process ids of the workers that serve, none without workers
   */
  readonly workers: number[]

  /**
   * Begin to listen, everywhere or nowhere. With `reusePort` other processes may
   * share the ports (SO_REUSEPORT, Linux).
   *
   * @throws the system's error, say with code EADDRINUSE
   * @throws {AlreadyStartedError} it listens
   */
  listen(options?: AbortOptions & { reusePort?: boolean }): Promise<void>

  /**
   * Use another certificate for the TLS connections that come from now on; those
   * that are there go on
   *
   * @throws what `tls.createSecureContext` throws; then the old one is kept
   * @throws {InvalidParametersError} the server has no TLS
   */
  updateTLS(options: SecureContextOptions): Promise<void>

  /**
   * Stop gracefully: accept nobody, send clients that ask to the alternate server
   * of their family, answer them as ever where there is none. Resolves once all
   * connections have ended, those that are left at the deadline by a reset.
   */
  drain(options?: DrainOptions): Promise<void>

  /**
   * Stop listening and reset all connections
   */
  close(): Promise<void>
}
