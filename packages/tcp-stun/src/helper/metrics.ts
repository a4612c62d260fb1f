import { Registry, collectDefaultMetrics } from 'prom-client'
import { MetricSet } from '../metrics/metric-set.ts'
import { answerMetrics, serveWeb } from '../metrics/web.ts'
import { addServerMetrics } from '../server/metrics.ts'
import type { Helper } from './options.ts'
import type { MetricsInit, MetricsServer } from '../metrics/web.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { RequestListener } from 'node:http'

/**
 * A helper as Prometheus metrics, read at each scrape
 */
export function createHelperMetrics (helper: Helper): Registry {
  const { node, limits } = helper
  const { relay, board } = node.services
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  addServerMetrics(registry, helper.stunServer)

  const metrics = new MetricSet(registry, 'tcp_stun_helper_')
  metrics.gauge('max_peers', 'Peers that the helper is for', () => limits.peers)
  metrics.gauge('connections', 'libp2p connections that are open now', () => node.getConnections().length)
  metrics.gauge('reservations', 'Peers with a reservation at the relay', () => relay.reservations.size)
  metrics.counterBy(
    'reservations_refused_total', 'reason', 'Peers that got no reservation', () => helper.refused
  )
  metrics.counterBy(
    'connections_refused_total', 'reason', 'Connections that were refused', () => helper.refusedConnections
  )
  metrics.gauge('relayed_connections', 'Connections through the relay that are open now', () => helper.circuits)
  metrics.gauge('board_registrations', 'Registrations on the board', () => board.registrations)
  metrics.gauge('board_peers', 'Peers on the board', () => board.peers)
  metrics.gauge('board_waiting', 'Requests that wait for a registration', () => board.waiting)
  metrics.gauge(
    'board_store_failing', '1 while registrations are kept in memory only', () => board.storeState === 'failing' ? 1 : 0
  )
  metrics.counterBy('board_registered_total', 'status', 'Answers to REGISTER', () => board.counters.registered)
  metrics.counterBy('board_discovered_total', 'status', 'Answers to DISCOVER', () => board.counters.discovered)

  return registry
}

/**
 * Answers what programs ask a helper: `GET /metrics` and `GET /health`. Its health is good
 * while it has room for peers.
 */
export function answerHelperMetrics (helper: Helper): RequestListener {
  return answerMetrics(createHelperMetrics(helper), () => {
    const { node: { status, services: { relay, board } }, stunServer, limits } = helper
    const peers = relay.reservations.size
    const isGood = status === 'started' && stunServer.state === 'listening' && peers < limits.peers

    return {
      isGood,
      body: { state: status, stun: stunServer.state, peers, maxPeers: limits.peers, registrations: board.registrations }
    }
  })
}

/**
 * Serve the status page of a helper on a port of its own, with `/status.json`, `/metrics`
 * and `/health`
 *
 * @throws the system's error, for example with code EADDRINUSE
 */
export async function serveHelperMetrics (
  { page }: Helper,
  init: MetricsInit & AbortOptions = {}
): Promise<MetricsServer> {
  return serveWeb((request, response) => { page.handle(request, response, true) }, init)
}
