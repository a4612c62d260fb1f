import { Registry, collectDefaultMetrics } from 'prom-client'
import { MetricSet } from '../metrics/metric-set.ts'
import { answerMetrics, serveWeb } from '../metrics/web.ts'
import type { ProductionServer } from './types.ts'
import type { MetricsInit, MetricsServer } from '../metrics/web.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { STUNServer, STUNServerState } from 'libp2p-tcp-stun/server'

/**
 * The state and the counters of a server as Prometheus metrics, read at each scrape
 */
export function createMetrics (server: ProductionServer): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  addServerMetrics(registry, server)
  new MetricSet(registry, 'tcp_stun_server_')
    .gauge('workers', 'Worker processes that serve', () => server.workers.length)

  return registry
}

/**
 * Those of a STUN server in this process or in others
 */
export function addServerMetrics (
  registry: Registry,
  server: Pick<STUNServer, 'counters'> & { state: STUNServerState }
): void {
  const metrics = new MetricSet(registry, 'tcp_stun_server_')
  const counters = (): STUNServer['counters'] => server.counters

  metrics.gauge('connections', 'Connections that are open now', () => counters().connections)
  metrics.gauge(
    'overloaded',
    '1 while new connections are refused: the server is full or clients take up too much memory',
    () => (server.state === 'overloaded' ? 1 : 0)
  )
  metrics.counter('accepted_total', 'Connections that were accepted', () => counters().accepted)
  metrics.counterBy('refused_total', 'reason', 'Connections that were refused', () => counters().refused)
  metrics.counter('bindings_total', 'Binding requests that were answered with success', () => counters().bindings)
  metrics.counterBy('errors_total', 'code', 'Requests that were answered with an error', () => counters().errors)
  metrics.counter('ignored_total', 'Messages that get no response', () => counters().ignored)
  metrics.counterBy('resets_total', 'reason', 'Connections that the server ended', () => counters().resets)
}

/**
 * Answer `GET /metrics` for Prometheus, and `GET /health` for load balancers: with
 * 200 while the server accepts connections, else with 503
 *
 * @throws the system's error, for example with code EADDRINUSE
 */
export async function serveMetrics (
  server: ProductionServer,
  init: MetricsInit & AbortOptions = {}
): Promise<MetricsServer> {
  return serveWeb(answerMetrics(createMetrics(server), () => {
    const body = { state: server.state, connections: server.counters.connections, workers: server.workers.length }

    return { isGood: isAccepting(body), body }
  }), init)
}

function isAccepting ({ state, workers }: { state: STUNServerState, workers: number }): boolean {
  return state === 'listening' || (state === 'degraded' && workers > 0)
}
