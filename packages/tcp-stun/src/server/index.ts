import { createSTUNServer as createSingleServer } from 'libp2p-tcp-stun/server'
import { STUNServerWorkers } from './workers.ts'
import type { STUNServer, STUNServerInit } from 'libp2p-tcp-stun/server'

/**
 * @throws {InvalidParametersError} an option is invalid
 */
export function createSTUNServer (init: STUNServerInit = {}): STUNServer {
  return (init.workers ?? 0) > 0 ? new STUNServerWorkers(init) : createSingleServer(init)
}

export { createMetrics, serveMetrics } from './metrics.ts'
export type { MetricsInit, MetricsServer } from './metrics.ts'
