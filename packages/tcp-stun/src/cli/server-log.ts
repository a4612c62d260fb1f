import { formatEndpoint } from 'libp2p-tcp-stun/net'
import type { Log } from './log.ts'
import type { ProductionServer } from '../server/index.ts'

/**
 * How often refused and reset connections are summed up in the log, in ms: a line
 * for each would let an attacker fill the disk
 */
const SUMMARY_INTERVAL = 60_000

export interface ServerLogInit {
  /**
   * Log each connection that is refused or reset
   */
  connections: boolean

  /**
   * Log each Binding too
   */
  bindings: boolean
}

/**
 * Log what a server does
 */
export function logServer (server: ProductionServer, log: Log, { connections, bindings }: ServerLogInit): void {
  server.addEventListener('worker:start', ({ detail }) => {
    log('info', 'worker-start', `worker ${detail.pid} serves`, detail)
  })
  server.addEventListener('worker:exit', ({ detail }) => {
    log('error', 'worker-exit', `worker ${detail.pid} ended (${detail.cause}) and is replaced`, detail)
  })

  if (connections) {
    server.addEventListener('reset', ({ detail }) => {
      log('debug', 'reset', `reset ${formatEndpoint(detail.client)}: ${detail.message ?? detail.reason}`, detail)
    })
    server.addEventListener('refuse', ({ detail }) => {
      log('debug', 'refuse', `refused ${detail.host ?? 'a connection'}: ${detail.reason}`, detail)
    })
  }

  if (bindings) {
    server.addEventListener('binding', ({ detail }) => { log('debug', 'binding', '', detail) })
  }

  logSummaries(server, log)
}

function logSummaries (server: ProductionServer, log: Log): void {
  let before = JSON.stringify([server.counters.refused, server.counters.resets])

  setInterval(() => {
    const { connections, refused, resets } = server.counters
    const now = JSON.stringify([refused, resets])

    if (now !== before) {
      before = now
      log('info', 'summary', `so far refused ${list(refused)}; reset ${list(resets)}`, { connections, refused, resets })
    }
  }, SUMMARY_INTERVAL).unref()
}

function list (counts: Record<string, number>): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0)

  return some.length === 0 ? 'none' : some.map(([reason, count]) => `${count} (${reason})`).join(', ')
}
