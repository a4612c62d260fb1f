import http from 'node:http'
import { pEvent } from 'p-event'
import type { AbortOptions } from '@libp2p/interface'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { RequestListener, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'

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
 * The answer to `GET /health`, and whether it is good news
 */
export interface HealthAnswer {
  isGood: boolean
  body: object
}

/**
 * More connections are not accepted
 */
const MAX_CONNECTIONS = 512

/**
 * Answer requests over HTTP
 *
 * @throws the system's error, for example with code EADDRINUSE
 */
export async function serveWeb (
  handle: RequestListener,
  { listen, ...options }: MetricsInit & AbortOptions = {}
): Promise<MetricsServer> {
  const { host, port } = listen ?? { host: '127.0.0.1', port: 9478 }
  const web = http.createServer({ requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8_192 }, handle)
  web.maxConnections = MAX_CONNECTIONS
  web.listen({ host, port })
  await pEvent(web, 'listening', options)
  const address = web.address() as AddressInfo

  return {
    address: { host: address.address, port: address.port },
    close: async () => {
      web.closeAllConnections()
      await new Promise<void>(resolve => { web.close(() => { resolve() }) })
    }
  }
}

/**
 * Answers `GET /metrics` for Prometheus, and `GET /health` for load balancers: with
 * 200 while all is well, else with 503
 */
export function answerMetrics (registry: Registry, health: () => HealthAnswer): RequestListener {
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(response.setHeader('allow', 'GET, HEAD'), 405, 'text/plain', 'GET or HEAD\n')
    } else if (request.url === '/health') {
      const { isGood, body } = health()
      answer(response, isGood ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`)
    } else if (request.url === '/metrics') {
      registry.metrics().then(
        text => { answer(response, 200, registry.contentType, text) },
        err => { answer(response, 500, 'text/plain', `${err.message}\n`) }
      )
    } else {
      answer(response, 404, 'text/plain', '/metrics or /health\n')
    }
  }
}

/**
 * Send a whole answer, without the body when it was asked with HEAD
 */
export function answer (response: ServerResponse, status: number, type: string, body: string): void {
  response
    .writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store'
    })
    .end(response.req.method === 'HEAD' ? undefined : body)
}
