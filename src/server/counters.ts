import type { RefusalReason } from './admission.ts'
import type { ResetReason } from './client-session.ts'
import type { ErrorCode } from './response.ts'

/**
 * What a server has done since it was created
 */
export interface STUNServerCounters {
  /** Connections that are open now */
  connections: number
  /** Connections that were accepted */
  accepted: number
  /** Connections that were refused, by reason */
  refused: Record<RefusalReason, number>
  /** Binding requests that were answered with success */
  bindings: number
  /** Requests that were answered with an error, by code */
  errors: Record<ErrorCode, number>
  /** Messages that get no response: indications, responses, wrong fingerprints */
  ignored: number
  /** Connections that the server ended, by reason */
  resets: Record<ResetReason, number>
}

export function createCounters (): STUNServerCounters {
  return {
    connections: 0,
    accepted: 0,
    refused: { connections: 0, address: 0, subnet: 0, rate: 0, memory: 0, gone: 0 },
    bindings: 0,
    errors: { 300: 0, 400: 0, 401: 0, 420: 0 },
    ignored: 0,
    resets: {
      'not-stun': 0,
      'message-timeout': 0,
      rate: 0,
      'not-reading': 0,
      'proxy-header': 0,
      tls: 0,
      displaced: 0,
      closed: 0
    }
  }
}
