/**
 * @packageDocumentation
 *
 * A STUN server over TCP and TLS (RFC 8489) that keeps each connection until
 * the client closes it, as section 6.2.2 asks for and few servers do.
 *
 * @example
 *
 * ```TypeScript
 * import { createSTUNServer } from 'libp2p-tcp-stun/server'
 *
 * const server = createSTUNServer({ listen: [{ host: '0.0.0.0', port: 3478 }] })
 * await server.listen()
 * ```
 */

import { TCPSTUNServer } from './stun-server.ts'
import type { STUNServer, STUNServerInit } from './options.ts'

/**
 * @throws {InvalidParametersError} a limit is not a number above zero, a network is none, or `tls` has no certificate
 */
export function createSTUNServer (init: STUNServerInit = {}): STUNServer {
  return new TCPSTUNServer(init)
}

export { createCounters, sumCounters } from './counters.ts'
export { DEFAULT_LIMITS, shareLimits, validateLimits } from './limits.ts'
export { DEFAULT_DRAIN_DEADLINE } from './options.ts'
export { networks } from './proxy-protocol.ts'
export type { BindingEvent, DrainOptions, RefuseEvent, ResetEvent, STUNServer, STUNServerAddress, STUNServerEvents, STUNServerInit, STUNServerState, STUNServerTLSInit, Transport, WorkerExitEvent } from './options.ts'
export type { STUNServerCounters } from './counters.ts'
export type { RefusalReason } from './admission.ts'
export type { ResetReason } from './client-connection.ts'
export type { Limits } from './limits.ts'
