import http from 'node:http'
import { pEvent } from 'p-event'
import type { AbortOptions } from '@libp2p/interface'
import type { Endpoint } from 'libp2p-tcp-stun/net'
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

export interface WebInit extends MetricsInit, AbortOptions {
  registry: Registry

  /**
   * The answer to `GET /health`, and whether it is good news
   */
  health(): { isGood: boolean, body: object }
}

/**
 * Answer `GET /metrics` for Prometheus, and `GET /health` for load balancers: with
 * 200 while all is well, else with 503
 *
 * @throws the system's error, for example with code EADDRINUSE
 */
export async function serveWeb ({ registry, health, listen, ...options }: WebInit): Promise<MetricsServer> {
  const { host, port } = listen ?? { host: '127.0.0.1', port: 9478 }

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
        const { isGood, body } = health()
        answer(isGood ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`)
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
