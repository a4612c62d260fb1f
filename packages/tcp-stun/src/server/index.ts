import { createSTUNServer as createSingleProcessServer } from 'libp2p-tcp-stun/server'
import { MultiProcessServer } from './multi-process-server.ts'
import type { ProductionServer, ProductionServerInit } from './types.ts'

/**
 * Create a STUN server of one or, with `workers`, several processes, which does not
 * listen yet
 *
 * @throws {InvalidParametersError} an option is invalid
 */
export function createSTUNServer (init: ProductionServerInit = {}): ProductionServer {
  if ((init.workers ?? 0) > 0) {
    return new MultiProcessServer(init)
  }

  return Object.assign(createSingleProcessServer(init), { workers: [] })
}

export { createMetrics, serveMetrics } from './metrics.ts'
export type { MetricsInit, MetricsServer } from '../metrics/web.ts'
export type { ProductionServer, ProductionServerEvents, ProductionServerInit, WorkerExitEvent } from './types.ts'
