import http from 'node:http'
import { MAX_HEAD_SIZE, REQUEST_TIMEOUT } from './constants.ts'
import { Deadlines } from './deadlines.ts'
import { refuse } from './refuse.ts'
import type { WebSocketsOptions } from './options.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '@libp2p/interface'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'

export interface HTTPPortInit {
  options: Pick<WebSocketsOptions, 'onRequest' | 'origins'>
  webSocketServer: WebSocketServer
  clock: Clock
  log: Logger

  /**
   * Whether a name in a `Host` header is one of this node
   */
  isOwnHost(name: string): boolean

  onWebSocket(webSocket: WebSocket, stream: Socket): void
}

/**
 * HTTP/1.1 on connections that another server has accepted. Each connection carries one
 * request, so there is no second one to smuggle in, and none is idle.
 */
export class HTTPPort {
  private readonly init: HTTPPortInit
  private readonly server: Server

  /**
   * The connections whose request is not complete. Node's own timeouts work on servers
   * that listen themselves.
   */
  private readonly deadlines: Deadlines<Duplex>

  constructor (init: HTTPPortInit) {
    this.init = init
    this.deadlines = new Deadlines<Duplex>({
      clock: init.clock,
      time: REQUEST_TIMEOUT,
      onExpire: stream => { refuse(stream, 408) }
    })
    this.server = http.createServer({ maxHeaderSize: MAX_HEAD_SIZE })
    this.server.maxRequestsPerSocket = 1
    this.server.on('request', (request, response) => { this.onRequest(request, response) })
    this.server.on('upgrade', (request, stream, head) => { this.onUpgrade(request, stream, head) })
  }

  /**
   * Read a request from a connection
   *
   * @param stream - the TCP connection, or the TLS session over it
   */
  accept (stream: Socket): void {
    this.deadlines.start(stream)
    stream.once('close', () => { this.deadlines.stop(stream) })
    this.server.emit('connection', stream)
  }

  close (): void {
    this.deadlines.clear()
  }

  private onRequest (request: IncomingMessage, response: ServerResponse): void {
    const { options: { onRequest }, isOwnHost } = this.init
    // with `maxRequestsPerSocket` alone, Node leaves it to the client
    response.setHeader('Connection', 'close')

    if (!hasBody(request)) {
      this.deadlines.stop(request.socket)
    } else {
      request.once('end', () => { this.deadlines.stop(request.socket) })
    }

    if (onRequest == null) {
      respond(response, 426, { Upgrade: 'websocket' })
      return
    }

    if (!isOwnHost(hostName(request.headers.host))) {
      respond(response, 421)
      return
    }

    this.callHandler(onRequest, request, response).catch(err => {
      this.init.log.error('onRequest failed - %e', err)

      if (response.headersSent) {
        request.socket.destroy()
      } else {
        respond(response, 500)
      }
    })
  }

  private async callHandler (
    handler: NonNullable<WebSocketsOptions['onRequest']>,
    request: IncomingMessage,
    response: ServerResponse
  ): Promise<void> {
    await handler(request, response)
  }

  private onUpgrade (request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { options: { origins }, webSocketServer, onWebSocket } = this.init
    const { origin } = request.headers
    this.deadlines.stop(stream)

    if (origin != null && origins?.includes(origin) === false) {
      refuse(stream, 403)
      return
    }

    webSocketServer.handleUpgrade(request, stream, head, webSocket => { onWebSocket(webSocket, stream as Socket) })
  }
}

function hasBody ({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] != null || Number(headers['content-length'] ?? 0) > 0
}

/**
 * The name in a `Host` header, in lower case, without its port; empty without a header
 */
function hostName (host = ''): string {
  return host.toLowerCase().replace(/:\d*$/, '')
}

function respond (response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  const body = `${http.STATUS_CODES[status]}\n`
  response.writeHead(status, { ...headers, 'Content-Type': 'text/plain', 'Content-Length': body.length })
  response.end(body)
}
