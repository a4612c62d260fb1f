import { systemClock } from '../runtime/clock.ts'
import { inodeOf } from './bound-socket.ts'
import { listListeningSockets, takesFrom, toListeningSocket } from './listening-sockets.ts'
import type { ListeningSocket } from './listening-sockets.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { AddressInfo, Server } from 'node:net'

/**
 * Look this long after a server is added, in ms. One look then covers all servers
 * that start together.
 */
const FIRST_LOOK = 1_000

/**
 * Look again this often, in ms
 */
const INTERVAL = 60_000

export interface ForeignListenersInit {
  clock: Clock

  /**
   * Lists the sockets that listen on this machine
   */
  list(): Promise<ListeningSocket[]>
}

export interface WatchOptions extends Required<AbortOptions> {
  /**
   * Gets an error when another program begins to listen on the server's port
   */
  log: Logger
}

interface Watched {
  log: Logger

  /**
   * Whether the last look found another program
   */
  isShared: boolean
}

/**
 * Any process of the same user can listen on a port that is shared with
 * SO_REUSEPORT. The system then hands it a part of the inbound connections, or all
 * of them, and neither process gets an error. So look at the kernel's list of
 * listening sockets from time to time. Only Linux has such a list.
 */
export class ForeignListeners {
  private readonly init: ForeignListenersInit
  private readonly watched = new Map<Server, Watched>()
  private next?: { timer: Timer, isFirst: boolean }

  constructor (init: ForeignListenersInit) {
    this.init = init
  }

  /**
   * Watch the port of a server that `BoundSocket.listen` made listen, until the
   * signal is aborted. The server may pause in between.
   */
  watch (server: Server, { log, signal }: WatchOptions): void {
    if (signal.aborted) {
      return
    }

    this.watched.set(server, { log, isShared: false })
    signal.addEventListener('abort', () => { this.unwatch(server) }, { once: true })

    if (this.next?.isFirst !== true) {
      this.next?.timer.clear()
      this.lookIn(FIRST_LOOK)
    }
  }

  /**
   * Look now, and log what has changed
   */
  private async look (): Promise<void> {
    const own = ownSockets(this.watched.keys())
    const listening = await this.init.list().catch(() => {})

    // Not Linux, or a passing error such as EMFILE
    if (listening == null) {
      return
    }

    const byPort = Map.groupBy(listening, ({ port }) => port)

    for (const [server, socket] of own) {
      const watched = this.watched.get(server)

      // It stopped while the list was read, or listens with another socket
      if (watched == null || !server.listening || inodeOf(server) !== socket.inode) {
        continue
      }

      const isShared = byPort.get(socket.port)?.some(other => takesFrom(socket, other)) === true

      if (isShared !== watched.isShared) {
        watched.isShared = isShared
        report(watched.log, server.address() as AddressInfo, isShared)
      }
    }
  }

  private unwatch (server: Server): void {
    this.watched.delete(server)

    if (this.watched.size === 0) {
      this.next?.timer.clear()
      this.next = undefined
    }
  }

  private lookIn (ms: number): void {
    const look = (): void => {
      this.next = undefined
      this.look().finally(() => {
        if (this.next == null && this.watched.size > 0) {
          this.lookIn(INTERVAL)
        }
      })
    }

    this.next = { timer: this.init.clock.setTimeout(look, ms), isFirst: ms === FIRST_LOOK }
  }
}

export const foreignListeners = new ForeignListeners({ clock: systemClock, list: listListeningSockets })

function ownSockets (servers: Iterable<Server>): Map<Server, ListeningSocket> {
  const sockets = new Map<Server, ListeningSocket>()

  for (const server of servers) {
    const address = server.address()
    const inode = inodeOf(server)

    if (inode != null && address != null && typeof address !== 'string') {
      sockets.set(server, toListeningSocket(address.address, address.port, inode))
    }
  }

  return sockets
}

function report (log: Logger, { address, port }: AddressInfo, isShared: boolean): void {
  if (isShared) {
    log.error(
      'another program listens on port %d too and takes inbound connections of %s:%d: ' +
      'stop it or choose another port, `ss -ltnp sport = :%d` shows it',
      port, address, port, port
    )
  } else {
    log('no other program listens on port %d any more', port)
  }
}
