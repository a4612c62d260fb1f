import { formatEndpoint } from '../address/endpoint.ts'
import { resetSocket } from '../net/reset-socket.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { ListeningPort } from '../listen/listening-ports.ts'
import type { Socket } from 'node:net'

export interface LingeringDialsInit {
  /**
   * How many may linger at the same time. Beyond that the oldest is closed.
   */
  limit: number

  /**
   * How long one lingers, in ms
   */
  time: number
}

interface LingeringDial {
  socket: Socket
  local: ListeningPort
  timer: NodeJS.Timeout
  forget(): void
}

/**
 * Dials from a listening port that were given up before they were connected, and
 * are kept connecting for a while.
 *
 * Our NAT has seen their SYN and admits the answer of that endpoint, which may be
 * the SYN of a hole punch. If such a socket were closed, the NAT would keep a
 * half-open state with a sequence number that is no longer in use: the peer's SYN
 * would reach our listener, whose SYN-ACK does not match that state and is dropped,
 * and our own next connect() from the port would fail with EADDRNOTAVAIL. So the
 * socket stays, and the next dial to the same endpoint adopts it.
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

  add (socket: Socket, local: ListeningPort, remote: Endpoint): void {
    const key = toKey(local, remote)

    if (this.init.limit === 0 || this.dials.has(key)) {
      resetSocket(socket)
      return
    }

    if (this.dials.size >= this.init.limit) {
      this.end([...this.dials.keys()][0])
    }

    const onClose = (): void => { this.remove(key) }
    // a lingering dial does not keep the process alive
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

  has (local: ListeningPort, remote: Endpoint): boolean {
    return this.dials.has(toKey(local, remote))
  }

  /**
   * Take over the socket to this endpoint, which is still connecting or has connected. If
   * a socket is given, take over only that one.
   */
  adopt (local: ListeningPort, remote: Endpoint, only?: Socket): Socket | undefined {
    const key = toKey(local, remote)
    const socket = this.dials.get(key)?.socket

    if (socket == null || (only != null && only !== socket)) {
      return
    }

    this.remove(key)

    // it may have just failed, and be closing
    return socket.destroyed ? undefined : socket.ref()
  }

  /**
   * Close the dials of a port whose listener closes
   */
  close (local: ListeningPort): void {
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

function toKey (local: ListeningPort, remote: Endpoint): string {
  return `${formatEndpoint(local)} ${formatEndpoint(remote)}`
}
