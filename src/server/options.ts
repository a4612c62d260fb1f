import { InvalidParametersError } from '@libp2p/interface'
import { MAX_DELAY } from '../runtime/check-options.ts'
import type { RefusalReason } from './admission.ts'
import type { ResetReason } from './client-session.ts'
import type { STUNServerCounters } from './counters.ts'
import type { Limits } from './limits.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { STUNCredential } from '../stun/client-init.ts'
import type { AbortOptions, ComponentLogger } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'
import type { Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'

export interface STUNServerInit extends Partial<Limits> {
  /**
   * Where to listen for TCP. Listeners of one family name each other as
   * OTHER-ADDRESS: RFC 5780 needs two addresses with two ports each.
   *
   * @default [{ host: '0.0.0.0', port: 3478 }]
   */
  listen?: Endpoint[]

  /**
   * Listen for TLS too, for `stuns:` URIs
   */
  tls?: STUNServerTLSInit

  /**
   * The networks of the load balancers in front of this server, like
   * `10.0.0.0/8`. A connection from there must begin with a PROXY protocol
   * header, version 1 or 2, which names the client. A header from anywhere else is
   * not STUN, and the connection is reset.
   *
   * @default []
   */
  trustedProxies?: string[]

  /**
   * Where clients are sent (ALTERNATE-SERVER) while this server drains: to the
   * first one of their address family
   *
   * @default []
   */
  alternateServers?: Endpoint[]

  /**
   * The SOFTWARE attribute of its responses, less than 128 characters
   *
   * @default 'libp2p-tcp-stun'
   */
  software?: string

  /**
   * Answer only those who know this name and password, by the short-term credential
   * mechanism (RFC 8489, section 9.1). Others get 400 or 401.
   *
   * @default everybody is answered
   */
  credential?: STUNCredential

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

/**
 * `tcp` for `stun:` URIs, `tls` for `stuns:`
 */
export type STUNTransport = 'tcp' | 'tls'

export interface STUNServerAddress extends Endpoint {
  transport: STUNTransport
}

/**
 * A Binding request was answered with success
 */
export interface BindingEvent {
  /**
   * The client's address as the server sees it, or as a PROXY header names it
   */
  client: Endpoint

  /**
   * The address that the client connected to
   */
  server: Endpoint

  transport: STUNTransport
}

/**
 * The server ended a connection
 */
export interface ResetEvent {
  client: Endpoint
  reason: ResetReason

  /**
   * What was wrong, for people
   */
  message?: string
}

/**
 * A connection was refused
 */
export interface RefuseEvent {
  /**
   * The client's address, if it was still connected
   */
  host?: string
  reason: RefusalReason
}

export interface STUNServerEvents {
  /**
   * A Binding request was answered with success
   */
  binding: CustomEvent<BindingEvent>
  reset: CustomEvent<ResetEvent>
  refuse: CustomEvent<RefuseEvent>
}

export interface ListenOptions extends AbortOptions {
  /**
   * Share the ports with other processes (SO_REUSEPORT, Linux)
   *
   * @default false
   */
  reusePort?: boolean
}

export interface DrainOptions extends AbortOptions {
  /**
   * How long clients may take to leave, in ms. Those that are left are reset. At most
   * 24.8 days, also when it is `Infinity`.
   *
   * @default 120_000
   */
  deadline?: number
}

/**
 * Above the time between two Binding requests of a client (99 s at the defaults of
 * libp2p-tcp-stun): a client learns only from a response that the server drains
 */
export const DEFAULT_DRAIN_DEADLINE = 120_000

/**
 * How long clients may take to leave, in ms, as a timer can count it
 *
 * @throws {InvalidParametersError} the deadline is not a number from 0 on
 */
export function drainDeadline ({ deadline = DEFAULT_DRAIN_DEADLINE }: DrainOptions): number {
  if (!(deadline >= 0)) {
    throw new InvalidParametersError(`deadline must be a number of milliseconds from 0 on, not ${deadline}`)
  }

  return Math.min(deadline, MAX_DELAY)
}

/**
 * - `idle`: it does not listen
 * - `listening`: it accepts connections
 * - `degraded`: it accepts connections with a part of its processes
 * - `overloaded`: it refuses new connections: it is full, or low on memory
 * - `draining`: it accepts no connections, and waits for its clients to leave
 */
export type STUNServerState = 'idle' | 'listening' | 'degraded' | 'overloaded' | 'draining'

/**
 * Answers Binding requests over TCP and TLS, and keeps each connection until
 * the client closes it
 */
export interface STUNServer<Events extends STUNServerEvents = STUNServerEvents> extends TypedEventTarget<Events> {
  /**
   * Where it listens, with the real ports
   */
  readonly addresses: STUNServerAddress[]

  readonly state: STUNServerState
  readonly counters: STUNServerCounters

  /**
   * The limits of this server, with the defaults
   */
  readonly limits: Limits

  /**
   * Begin to listen, everywhere or nowhere. With `reusePort` other processes may
   * share the ports (SO_REUSEPORT, Linux).
   *
   * @throws the system's error, for example with code EADDRINUSE
   * @throws {AlreadyStartedError} it listens already
   * @throws {AbortError} the signal was aborted, or the server was drained or closed meanwhile
   */
  listen(options?: ListenOptions): Promise<void>

  /**
   * Serve a connection that another server has accepted, on a port that STUN shares with
   * other protocols. Nothing of it may have been read yet. It counts for all limits, and is
   * reset while the server does not listen. No PROXY header is expected.
   */
  accept(socket: Socket): void

  /**
   * Use another certificate for new TLS connections. Open ones go on.
   *
   * @throws what `tls.createSecureContext` throws; the old certificate is kept
   * @throws {InvalidParametersError} the server has no TLS
   */
  updateTLS(options: SecureContextOptions): Promise<void>

  /**
   * Stop gracefully: accept no connections, and answer each request with the
   * alternate server of the client's family, or as always where there is none.
   * Resolves once all connections have ended. At the deadline, or when the signal
   * is aborted, those that are left are reset. A `listen()` under way is rejected.
   *
   * @throws {InvalidParametersError} the deadline is not a number from 0 on
   */
  drain(options?: DrainOptions): Promise<void>

  /**
   * Stop listening and reset all connections
   */
  close(): Promise<void>
}
