import { InvalidParametersError, TimeoutError } from '@libp2p/interface'
import { AbstractMultiaddrConnection, ipPortToMultiaddr } from '@libp2p/utils'
import { pEvent } from 'p-event'
import { DEFAULT_INACTIVITY_TIMEOUT } from './constants.ts'
import { resetSocket } from './net/reset-socket.ts'
import type { AbortOptions, MultiaddrConnection } from '@libp2p/interface'
import type { AbstractMultiaddrConnectionInit, SendResult } from '@libp2p/utils'
import type { Socket } from 'node:net'
import type { Uint8ArrayList } from 'uint8arraylist'

export interface ConnectionInit extends Omit<AbstractMultiaddrConnectionInit, 'name' | 'stream' | 'remoteAddr'> {
  socket: Socket

  /**
   * Read from the socket when it is not known
   */
  remoteAddr?: AbstractMultiaddrConnectionInit['remoteAddr']
}

class TCPMultiaddrConnection extends AbstractMultiaddrConnection {
  private readonly socket: Socket

  constructor (init: ConnectionInit) {
    const { socket } = init

    super({
      ...init,
      remoteAddr: init.remoteAddr ?? readRemoteAddr(socket)
    })

    this.socket = socket
    socket.on('data', buf => { this.onData(buf) })
    socket.on('drain', () => { this.safeDispatchEvent('drain') })
    socket.on('error', err => { this.abort(err) })

    socket.setTimeout(init.inactivityTimeout ?? DEFAULT_INACTIVITY_TIMEOUT)
    socket.once('timeout', () => { this.abort(new TimeoutError('The connection was quiet for too long')) })

    // the remote sends no more; unless half-open connections are allowed Node
    // answers with our own end and emits `close`
    socket.once('end', () => { this.onTransportClosed() })
    socket.once('close', hadError => {
      this.onTransportClosed(hadError ? new Error('TCP transmission error') : undefined)
    })
  }

  sendData (data: Uint8ArrayList): SendResult {
    let canSendMore = true

    // what is sent in this turn of the event loop leaves in one writev
    if (this.socket.writableCorked === 0) {
      this.socket.cork()
      process.nextTick(() => { this.socket.uncork() })
    }

    // the bytes are in memory already: passing all of them on costs none, and
    // the answer of the last write says whether the next ones have to wait
    for (const buf of data) {
      canSendMore = this.socket.write(buf)
    }

    return {
      sentBytes: data.byteLength,
      canSendMore
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
 * @throws {InvalidParametersError} the remote has closed the socket already
 */
export function toMultiaddrConnection (init: ConnectionInit): MultiaddrConnection {
  return new TCPMultiaddrConnection(init)
}

function readRemoteAddr ({ remoteAddress, remotePort }: Socket): AbstractMultiaddrConnectionInit['remoteAddr'] {
  // both are gone once the socket is destroyed
  if (remoteAddress == null || remotePort == null) {
    throw new InvalidParametersError('The remote address of the socket is not known, it is closed')
  }

  return ipPortToMultiaddr(remoteAddress, remotePort)
}
