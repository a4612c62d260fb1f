/**
 * A STUN server over TCP and TLS (RFC 8489) that keeps each connection until
 * the client closes it, as section 6.2.2 says.
 *
 * @example
 *
 * ```TypeScript
 * import { createSTUNServer } from 'libp2p-tcp-stun/server'
 *
 * const server = createSTUNServer({ listen: [{ host: '0.0.0.0', port: 3478 }] })
 * await server.listen()
 * ```
 *
 * @module libp2p-tcp-stun/server
 */

import { TCPSTUNServer } from './stun-server.ts'
import type { STUNServer, STUNServerInit } from './options.ts'

/**
 * Create a STUN server, which does not listen yet
 *
 * @throws {InvalidParametersError} a limit is not a number above 0, a trusted proxy is not a network, or `tls` has no
 * certificate
 * @throws what `tls.createSecureContext` throws
 */
export function createSTUNServer (init: STUNServerInit = {}): STUNServer {
  return new TCPSTUNServer(init)
}

export { Admission } from './admission.ts'
export { createCounters } from './counters.ts'
export { DEFAULT_LIMITS } from './limits.ts'
export { collectGarbage } from './memory.ts'
export { DEFAULT_DRAIN_DEADLINE, drainDeadline } from './options.ts'
export { networkMatcher } from './proxy-protocol.ts'
export type {
  BindingEvent, DrainOptions, ListenOptions, RefuseEvent, ResetEvent, STUNServer, STUNServerAddress, STUNServerEvents,
  STUNServerInit, STUNServerState, STUNServerTLSInit, STUNTransport
} from './options.ts'
export type { STUNServerCounters } from './counters.ts'
export type { AdmissionLimits, RefusalReason } from './admission.ts'
export type { ErrorCode } from './response.ts'
export type { ResetReason } from './client-session.ts'
export type { Limits } from './limits.ts'
