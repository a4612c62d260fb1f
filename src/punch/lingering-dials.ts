import { formatEndpoint } from '../address/endpoint.ts'
import { resetSocket } from '../net/reset-socket.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { SharedPort } from '../dial/shared-ports.ts'
import type { Socket } from 'node:net'

export interface LingeringDialsInit {
  /**
   * How many there may be at once: the oldest makes room
   */
  limit: number

  /**
   * How long one lingers, in ms
   */
  time: number
}

interface LingeringDial {
  socket: Socket
  local: SharedPort
  timer: NodeJS.Timeout
  forget(): void
}

/**
 * Sockets of the listening port that still connect though nobody waits for them
 * just now.
 *
 * Our NAT has seen their SYN and lets the answer of the other side in, which may
 * be the SYN of a hole punch. Were such a socket closed, the NAT would keep its
 * half-open state with a sequence number that is gone: the peer's SYN would then
 * reach our listener, whose SYN-ACK does not fit that state and is dropped, and
 * our own next connect() from the port would fail with EADDRNOTAVAIL. So it is
 * kept, and the next dial to the same address adopts it.
 */
export class LingeringDials {
  private readonly init: LingeringDialsInit
  private readonly dials = new Map<string, LingeringDial>()

  constructor (init: LingeringDialsInit) {
    this.init = init
  }

  get size (): number {
    return this.dials.size
  }

  add (socket: Socket, local: SharedPort, remote: Endpoint): void {
    const key = toKey(local, remote)

    if (this.init.limit === 0 || this.dials.has(key)) {
      resetSocket(socket)
      return
    }

    if (this.dials.size >= this.init.limit) {
      this.end([...this.dials.keys()][0])
    }

    const onClose = (): void => { this.remove(key) }
    // nothing that lingers keeps the process alive
    const timer = setTimeout(() => { this.end(key) }, this.init.time).unref()
    socket.unref()
    socket.once('close', onClose)
    this.dials.set(key, {
      socket,
      local,
      timer,
      forget: () => { socket.off('close', onClose) }
    })
  }

  has (local: SharedPort, remote: Endpoint): boolean {
    return this.dials.has(toKey(local, remote))
  }

  /**
   * Take a socket to this endpoint over: it is still connecting, or is connected
   * by now
   */
  adopt (local: SharedPort, remote: Endpoint): Socket | undefined {
    const { socket } = this.remove(toKey(local, remote)) ?? {}

    // it has failed just now, and closes
    if (socket == null || socket.destroyed) {
      return
    }

    return socket.ref()
  }

  /**
   * End those from the port of a listener that closes
   */
  close (local: SharedPort): void {
    for (const [key, dial] of this.dials) {
      if (dial.local === local) {
        this.end(key)
      }
    }
  }

  private end (key: string): void {
    const dial = this.remove(key)

    if (dial != null) {
      resetSocket(dial.socket)
    }
  }

  private remove (key: string): LingeringDial | undefined {
    const dial = this.dials.get(key)
    this.dials.delete(key)
    clearTimeout(dial?.timer)
    dial?.forget()

    return dial
  }
}

function toKey (local: SharedPort, remote: Endpoint): string {
  return `${local.family} ${local.port} ${formatEndpoint(remote)}`
}
