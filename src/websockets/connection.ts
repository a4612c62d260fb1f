import { TLSSocket } from 'node:tls'
import { InvalidMessageError, TimeoutError } from '@libp2p/interface'
import { pEvent } from 'p-event'
import { readRemoteAddr } from '../connection/multiaddr-connection.ts'
import { SocketConnection } from '../connection/socket-connection.ts'
import { DEFAULT_INACTIVITY_TIMEOUT } from '../constants.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { CLOSE_TIMEOUT } from './constants.ts'
import { MessageBatch } from './message-batch.ts'
import type { SocketConnectionInit } from '../connection/socket-connection.ts'
import type { AbortOptions, MultiaddrConnection } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { WebSocket } from 'ws'

/**
 * Status codes of RFC 6455, section 7.4.1
 */
const NORMAL_CLOSURE = 1000
const GOING_AWAY = 1001
const UNSUPPORTED_DATA = 1003
const NO_STATUS = 1005

const CLEAN = [NORMAL_CLOSURE, GOING_AWAY, NO_STATUS]

export interface WebSocketConnectionInit extends Omit<SocketConnectionInit, 'remoteAddr'> {
  webSocket: WebSocket
}

/**
 * The socket is what the WebSocket writes to: the TCP connection, or the TLS session over
 * it. Our frames are written to it directly, without a copy; `ws` reads frames, and writes
 * control frames between ours.
 */
class WebSocketMultiaddrConnection extends SocketConnection {
  private readonly webSocket: WebSocket
  private readonly batch = new MessageBatch()

  /**
   * The messages of one chunk of bytes
   */
  private received: Uint8Array[] = []

  constructor (init: WebSocketConnectionInit) {
    const { webSocket, socket } = init

    super({
      ...init,
      remoteAddr: readRemoteAddr(socket).encapsulate(socket instanceof TLSSocket ? '/tls/ws' : '/ws')
    })

    this.webSocket = webSocket
    webSocket.on('message', (data, isBinary) => { this.onMessage(data as Buffer, isBinary) })
    webSocket.on('error', err => { this.abort(err) })
    webSocket.once('close', code => { this.onClosed(code) })

    socket.setTimeout(init.inactivityTimeout ?? DEFAULT_INACTIVITY_TIMEOUT)
    socket.once('timeout', () => { this.abort(new TimeoutError('The connection was silent for too long')) })
  }

  /**
   * One message for all that leaves together
   */
  protected write (data: Uint8Array | Uint8ArrayList): boolean {
    const { socket, batch } = this
    const isFirst = batch.byteLength === 0
    const leavesAtOnce = this.isAnswer && isFirst
    this.isAnswer = false
    batch.add(data)

    // the socket is full, so do not wait for the end of the turn
    if (leavesAtOnce || socket.writableLength + batch.byteLength >= socket.writableHighWaterMark) {
      this.flush()
    } else if (isFirst) {
      process.nextTick(() => { this.flush() })
    }

    return socket.writableLength < socket.writableHighWaterMark
  }

  /**
   * The remote side need not answer: a peer that does not read must not keep us waiting
   */
  async sendClose (options?: AbortOptions): Promise<void> {
    const { webSocket, socket } = this

    if (socket.destroyed) {
      return
    }

    const closed = pEvent(webSocket, 'close', options)
    this.flush()
    webSocket.close(NORMAL_CLOSURE)
    this.endSocket()
    await closed
  }

  sendReset (): void {
    // the Close frame says what was wrong, and a reset could overtake it
    if (this.webSocket.readyState === this.webSocket.CLOSING) {
      this.endSocket()
    } else {
      resetSocket(this.socket)
    }
  }

  sendPause (): void {
    this.webSocket.pause()
  }

  sendResume (): void {
    this.webSocket.resume()
  }

  /**
   * Send what was collected, unless a Close frame was sent: nothing may follow it
   */
  private flush (): void {
    const { webSocket, socket, batch } = this

    if (batch.byteLength === 0) {
      return
    }

    const pieces = batch.take()

    if (webSocket.readyState !== webSocket.OPEN || socket.destroyed) {
      return
    }

    socket.cork()
    pieces.forEach(piece => { socket.write(piece) })
    socket.uncork()
  }

  private onMessage (data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      this.received.push(data)

      // the other messages of the chunk come in the same turn
      if (this.received.length === 1) {
        queueMicrotask(() => { this.deliver() })
      }

      return
    }

    this.webSocket.close(UNSUPPORTED_DATA)
    this.abort(new InvalidMessageError('The remote side has sent a text message, libp2p sends binary ones'))
  }

  /**
   * Hand over the messages of a chunk together: an event for each would cost more than to copy small ones
   */
  private deliver (): void {
    const { received } = this
    this.received = []

    if (received.length > 0) {
      this.onData(received.length === 1 ? received[0] : Buffer.concat(received))
    }
  }

  /**
   * Send what is left, and wait for the other end, but not for long
   */
  private endSocket (): void {
    const { socket } = this

    socket.once('finish', () => {
      const timer = setTimeout(() => { resetSocket(socket) }, CLOSE_TIMEOUT)
      socket.once('close', () => { clearTimeout(timer) })
    })
    socket.end()
  }

  private onClosed (code: number): void {
    this.deliver()

    if (this.status !== 'open' && this.status !== 'closing') {
      return
    }

    if (CLEAN.includes(code) || this.status === 'closing') {
      this.onTransportClosed()
    } else {
      this.onRemoteReset()
    }
  }
}

/**
 * A libp2p connection over an open WebSocket
 *
 * @throws {InvalidParametersError} the remote side has already closed the socket
 */
export function webSocketToMultiaddrConnection (init: WebSocketConnectionInit): MultiaddrConnection {
  return new WebSocketMultiaddrConnection(init)
}
