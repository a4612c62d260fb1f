import type { RefusalReason } from './admission.ts'
import type { ResetReason } from './client-connection.ts'
import type { ErrorCode } from './response.ts'

/**
 * What the server has done since it was made
 */
export interface STUNServerCounters {
  /** Connections that live now */
  connections: number
  /** Connections that were accepted */
  accepted: number
  /** Connections that were refused, by reason */
  refused: Record<RefusalReason, number>
  /** Binding requests that were answered with success */
  bindings: number
  /** Requests that were answered with an error, by its code */
  errors: Record<ErrorCode, number>
  /** Messages that get no answer: indications, responses, wrong fingerprints */
  ignored: number
  /** Connections that were reset, by reason */
  resets: Record<ResetReason, number>
}

export function createCounters (): STUNServerCounters {
  return {
    connections: 0,
    accepted: 0,
    refused: { connections: 0, address: 0, subnet: 0, rate: 0, memory: 0, gone: 0 },
    bindings: 0,
    errors: { 300: 0, 400: 0, 420: 0 },
    ignored: 0,
    resets: { 'not-stun': 0, 'message-timeout': 0, rate: 0, 'not-reading': 0, 'proxy-header': 0, tls: 0, displaced: 0, closed: 0 }
  }
}

/**
 * What several have done together
 */
export function sumCounters (all: STUNServerCounters[]): STUNServerCounters {
  const sum = createCounters()

  for (const counters of all) {
    add(sum, counters)
  }

  return sum
}

function add (sum: Record<string, any>, counters: Record<string, any>): void {
  for (const [name, value] of Object.entries(counters)) {
    if (typeof value === 'number') {
      sum[name] += value
    } else {
      add(sum[name], value)
    }
  }
}
