import { InvalidParametersError, StreamMessageEvent, TimeoutError } from '@libp2p/interface'
import { AbstractMultiaddrConnection, ipPortToMultiaddr } from '@libp2p/utils'
import { pEvent } from 'p-event'
import { Uint8ArrayList } from 'uint8arraylist'
import { DEFAULT_INACTIVITY_TIMEOUT } from '../constants.ts'
import { resetSocket } from '../net/reset-socket.ts'
import type { AbortOptions, MultiaddrConnection } from '@libp2p/interface'
import type { AbstractMultiaddrConnectionInit, SendResult } from '@libp2p/utils'
import type { Socket } from 'node:net'

export interface ConnectionInit extends Omit<AbstractMultiaddrConnectionInit, 'name' | 'stream' | 'remoteAddr'> {
  socket: Socket

  /**
   * @default the remote address of the socket
   */
  remoteAddr?: AbstractMultiaddrConnectionInit['remoteAddr']
}

class TCPMultiaddrConnection extends AbstractMultiaddrConnection {
  private readonly socket: Socket

  /**
   * Bytes have come since the last send: the next one is likely the answer to them
   */
  private isAnswer = false

  constructor (init: ConnectionInit) {
    const { socket } = init

    super({
      ...init,
      remoteAddr: init.remoteAddr ?? readRemoteAddr(socket)
    })

    this.socket = socket
    socket.on('data', buf => { this.onData(buf) })
    socket.on('drain', () => { this.onDrained() })
    socket.on('error', err => { this.onSocketError(err) })

    socket.setTimeout(init.inactivityTimeout ?? DEFAULT_INACTIVITY_TIMEOUT)
    socket.once('timeout', () => { this.abort(new TimeoutError('The connection was silent for too long')) })

    // the remote side sends no more; unless half-open connections are allowed, Node
    // ends our side too and emits `close`
    socket.once('end', () => { this.onTransportClosed() })
    socket.once('close', hadError => {
      this.onTransportClosed(hadError ? new Error('TCP transmission error') : undefined)
    })
  }

  /**
   * As the superclass does, without its queue while nothing waits in it
   */
  send (data: Uint8Array | Uint8ArrayList): boolean {
    if (this.writeStatus !== 'writable' || this.writableNeedsDrain || this.writeBuffer.byteLength > 0) {
      return super.send(data)
    }

    this.writableNeedsDrain = !this.write(data)

    if (this.listenerCount('idle') > 0) {
      this.safeDispatchEvent('idle')
    }

    return !this.writableNeedsDrain
  }

  sendData (data: Uint8ArrayList): SendResult {
    return {
      sentBytes: data.byteLength,
      canSendMore: this.write(data)
    }
  }

  /**
   * As the superclass does, without its queue while nothing waits in it
   */
  onData (data: Uint8Array): void {
    this.isAnswer = true
    const isReadable = this.readStatus === 'readable' && this.remoteWriteStatus !== 'closed'

    if (!isReadable || this.readBuffer.byteLength > 0 || this.listenerCount('message') === 0) {
      super.onData(data)
      return
    }

    this.dispatchEvent(new StreamMessageEvent(new Uint8ArrayList(data)))
  }

  /**
   * What is sent in one turn of the event loop leaves at its end, in one writev. The first send after bytes have come
   * leaves at once, because the other end likely waits for it.
   *
   * @returns whether more can be sent before the next `drain`
   */
  private write (data: Uint8Array | Uint8ArrayList): boolean {
    const { socket } = this
    const wasCorked = socket.writableCorked > 0
    const leavesAtOnce = this.isAnswer && !wasCorked
    this.isAnswer = false

    if (!wasCorked) {
      socket.cork()
    }

    // the bytes are in memory already, so passing on all of them takes no more
    for (const buf of data instanceof Uint8Array ? [data] : data) {
      socket.write(buf)
    }

    if (leavesAtOnce) {
      socket.uncork()
    } else if (!wasCorked) {
      process.nextTick(uncork, socket)
    }

    // the socket is full, so do not wait for the end of the turn
    if (socket.writableCorked > 0 && socket.writableLength >= socket.writableHighWaterMark) {
      socket.uncork()
      socket.cork()
    }

    // the system may have taken all of it, then more can follow at once
    return socket.writableLength < socket.writableHighWaterMark
  }

  private onDrained (): void {
    // the socket also emits `drain` for bytes that the system takes at once
    if (this.writableNeedsDrain) {
      this.safeDispatchEvent('drain')
    }
  }

  private onSocketError (err: Error & { code?: string }): void {
    // the other end has closed, and this write came too late: `@libp2p/tcp` reads the same as a close
    if (err.code === 'EPIPE') {
      this.onTransportClosed()
    } else {
      this.abort(err)
    }
  }

  async sendClose (options?: AbortOptions): Promise<void> {
    if (this.socket.destroyed) {
      return
    }

    const closed = pEvent(this.socket, 'close', options)
    this.socket.destroySoon()
    await closed
  }

  sendReset (): void {
    resetSocket(this.socket)
  }

  sendPause (): void {
    this.socket.pause()
  }

  sendResume (): void {
    this.socket.resume()
  }
}

/**
 * A libp2p connection over a connected socket
 *
 * @throws {InvalidParametersError} the remote side has already closed the socket
 */
export function toMultiaddrConnection (init: ConnectionInit): MultiaddrConnection {
  return new TCPMultiaddrConnection(init)
}

function uncork (socket: Socket): void {
  socket.uncork()
}

function readRemoteAddr ({ remoteAddress, remotePort }: Socket): AbstractMultiaddrConnectionInit['remoteAddr'] {
  // a destroyed socket forgets both
  if (remoteAddress == null || remotePort == null) {
    throw new InvalidParametersError('The remote address of the socket is unknown: it is closed')
  }

  return ipPortToMultiaddr(remoteAddress, remotePort)
}
