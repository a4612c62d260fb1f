import http from 'node:http'
import { pEvent } from 'p-event'
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'
import type { ProductionServer } from './types.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { STUNServerState } from 'libp2p-tcp-stun/server'
import type { AddressInfo } from 'node:net'

const PREFIX = 'tcp_stun_server_'

export interface MetricsInit {
  /**
   * Where `GET /metrics` and `GET /health` are answered
   *
   * @default { host: '127.0.0.1', port: 9478 }
   */
  listen?: Endpoint
}

export interface MetricsServer {
  /**
   * Where it listens, with the real port
   */
  readonly address: Endpoint
  close(): Promise<void>
}

/**
 * The state and the counters of a server as Prometheus metrics, read at each scrape
 */
export function createMetrics (server: ProductionServer): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })

  const gauge = (name: string, help: string, read: () => number): void => {
    registry.registerMetric(new Gauge({ name: PREFIX + name, help, registers: [], collect () { this.set(read()) } }))
  }
  const counter = (name: string, help: string, read: () => number): void => {
    registry.registerMetric(new Counter({
      name: PREFIX + name,
      help,
      registers: [],
      collect () {
        this.reset()
        this.inc(read())
      }
    }))
  }
  const counterBy = (name: string, label: string, help: string, read: () => Record<string, number>): void => {
    registry.registerMetric(new Counter({
      name: PREFIX + name,
      help,
      labelNames: [label],
      registers: [],
      collect () {
        this.reset()
        Object.entries(read()).forEach(([key, value]) => { this.inc({ [label]: key }, value) })
      }
    }))
  }

  gauge('connections', 'Connections that are open now', () => server.counters.connections)
  gauge(
    'overloaded',
    '1 while new connections are refused: the server is full or clients take up too much memory',
    () => (server.state === 'overloaded' ? 1 : 0)
  )
  gauge('workers', 'Worker processes that serve', () => server.workers.length)
  counter('accepted_total', 'Connections that were accepted', () => server.counters.accepted)
  counterBy('refused_total', 'reason', 'Connections that were refused', () => server.counters.refused)
  counter('bindings_total', 'Binding requests that were answered with success', () => server.counters.bindings)
  counterBy('errors_total', 'code', 'Requests that were answered with an error', () => server.counters.errors)
  counter('ignored_total', 'Messages that get no response', () => server.counters.ignored)
  counterBy('resets_total', 'reason', 'Connections that the server ended', () => server.counters.resets)

  return registry
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
  const { host, port } = init.listen ?? { host: '127.0.0.1', port: 9478 }
  const registry = createMetrics(server)

  const web = http.createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8_192 },
    (request, response) => {
      const answer = (status: number, type: string, body: string): void => {
        response
          .writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
          .end(request.method === 'HEAD' ? undefined : body)
      }

      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD')
        answer(405, 'text/plain', 'GET or HEAD\n')
      } else if (request.url === '/health') {
        const health = { state: server.state, connections: server.counters.connections, workers: server.workers.length }
        answer(isAccepting(health) ? 200 : 503, 'application/json', `${JSON.stringify(health)}\n`)
      } else if (request.url === '/metrics') {
        registry.metrics().then(
          text => { answer(200, registry.contentType, text) },
          err => { answer(500, 'text/plain', `${err.message}\n`) }
        )
      } else {
        answer(404, 'text/plain', '/metrics or /health\n')
      }
    }
  )

  web.listen({ host, port })
  await pEvent(web, 'listening', init)
  const address = web.address() as AddressInfo

  return {
    address: { host: address.address, port: address.port },
    close: async () => {
      web.closeAllConnections()
      await new Promise<void>(resolve => { web.close(() => { resolve() }) })
    }
  }
}

function isAccepting ({ state, workers }: { state: STUNServerState, workers: number }): boolean {
  return state === 'listening' || (state === 'degraded' && workers > 0)
}
