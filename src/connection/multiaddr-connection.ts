import { InvalidParametersError, TimeoutError } from '@libp2p/interface'
import { ipPortToMultiaddr } from '@libp2p/utils'
import { pEvent } from 'p-event'
import { DEFAULT_INACTIVITY_TIMEOUT } from '../constants.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { SocketConnection } from './socket-connection.ts'
import type { SocketConnectionInit } from './socket-connection.ts'
import type { AbortOptions, MultiaddrConnection } from '@libp2p/interface'
import type { AbstractMultiaddrConnectionInit } from '@libp2p/utils'
import type { Socket } from 'node:net'
import type { Uint8ArrayList } from 'uint8arraylist'

export interface ConnectionInit extends Omit<SocketConnectionInit, 'remoteAddr'> {
  /**
   * @default the remote address of the socket
   */
  remoteAddr?: AbstractMultiaddrConnectionInit['remoteAddr']

  /**
   * What has been read of the socket already
   */
  received?: Uint8Array
}

class TCPMultiaddrConnection extends SocketConnection {
  constructor (init: ConnectionInit) {
    const { socket } = init

    super({
      ...init,
      remoteAddr: init.remoteAddr ?? readRemoteAddr(socket)
    })

    socket.on('data', buf => { this.onData(buf) })
    socket.on('error', err => { this.onSocketError(err) })

    socket.setTimeout(init.inactivityTimeout ?? DEFAULT_INACTIVITY_TIMEOUT)
    socket.once('timeout', () => { this.abort(new TimeoutError('The connection was silent for too long')) })

    // the remote side sends no more; unless half-open connections are allowed, Node
    // ends our side too and emits `close`
    socket.once('end', () => { this.onTransportClosed() })
    socket.once('close', hadError => {
      this.onTransportClosed(hadError ? new Error('TCP transmission error') : undefined)
    })

    if (init.received != null) {
      this.onData(init.received)
    }
  }

  protected write (data: Uint8Array | Uint8ArrayList): boolean {
    const { socket } = this
    const wasCorked = socket.writableCorked > 0
    const leavesAtOnce = this.isAnswer && !wasCorked
    this.isAnswer = false

    if (!leavesAtOnce || !(data instanceof Uint8Array)) {
      this.gather(data, wasCorked, leavesAtOnce)
    } else if (socket.write(data)) {
      // to cork and uncork for a single piece would take a tenth of the time of an answer
      return true
    }

    // the system may have taken all of it, then more can follow at once
    return socket.writableLength < socket.writableHighWaterMark
  }

  /**
   * Have several pieces leave together: these, and those of the rest of the turn unless they leave at once
   */
  private gather (data: Uint8Array | Uint8ArrayList, wasCorked: boolean, leavesAtOnce: boolean): void {
    const { socket } = this

    if (!wasCorked) {
      socket.cork()
    }

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

/**
 * The multiaddr of the other end of a connected socket
 *
 * @throws {InvalidParametersError} the remote side has already closed the socket
 */
export function readRemoteAddr ({ remoteAddress, remotePort }: Socket): AbstractMultiaddrConnectionInit['remoteAddr'] {
  // a destroyed socket forgets both
  if (remoteAddress == null || remotePort == null) {
    throw new InvalidParametersError('The remote address of the socket is unknown: it is closed')
  }

  return ipPortToMultiaddr(remoteAddress, remotePort)
}

function uncork (socket: Socket): void {
  socket.uncork()
}
