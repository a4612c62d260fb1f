import { StreamMessageEvent } from '@libp2p/interface'
import { AbstractMultiaddrConnection } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import type { AbstractMultiaddrConnectionInit, SendResult } from '@libp2p/utils'
import type { Socket } from 'node:net'

export interface SocketConnectionInit extends Omit<AbstractMultiaddrConnectionInit, 'name' | 'stream'> {
  socket: Socket
}

/**
 * A libp2p connection whose bytes go through a socket, with back-pressure
 */
export abstract class SocketConnection extends AbstractMultiaddrConnection {
  protected readonly socket: Socket

  /**
   * Bytes have come since the last send, so the other end likely waits for the next one
   */
  protected isAnswer = false

  constructor (init: SocketConnectionInit) {
    super(init)

    this.socket = init.socket
    this.socket.on('drain', () => { this.onDrained() })
  }

  /**
   * Pass all of the data on: it is in memory already, so that takes no more. What is sent in one turn of the event loop
   * leaves at its end, in one writev, but the first send after bytes have come leaves at once.
   *
   * @returns whether more can be sent before the next `drain`
   */
  protected abstract write (data: Uint8Array | Uint8ArrayList): boolean

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

  private onDrained (): void {
    // the socket also emits `drain` for bytes that the system takes at once
    if (this.writableNeedsDrain) {
      this.safeDispatchEvent('drain')
    }
  }
}
