import { systemClock } from '../runtime/clock.ts'
import { inodeOf } from './bound-socket.ts'
import { listListeningSockets, takesFrom, toListeningSocket } from './listening-sockets.ts'
import type { ListeningSocket } from './listening-sockets.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { Server } from 'node:net'

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
   * Gets an error when another program begins to listen on the port
   */
  log: Logger
}

/**
 * A port that several processes of ours listen on, with one socket each
 */
export interface ProcessesPort extends Endpoint {
  /**
   * The ids of the processes; `undefined` while it is not certain that all of them listen
   */
  processes(): number[] | undefined
}

/**
 * Our sockets on a port
 */
interface OwnSockets {
  endpoint: Endpoint

  /**
   * One of them, without its inode where other processes have them
   */
  socket: ListeningSocket

  /**
   * How many sockets that the kernel may choose in place of that one are ours too
   */
  others: number

  /**
   * Differs when they are other sockets
   */
  identity: string
}

interface Watched {
  log: Logger

  /**
   * Our sockets now; `undefined` while that is not certain
   */
  own(): OwnSockets | undefined

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
  private readonly watched = new Set<Watched>()
  private next?: { timer: Timer, isFirst: boolean }

  constructor (init: ForeignListenersInit) {
    this.init = init
  }

  /**
   * Watch the port of a server that `BoundSocket.listen` made listen, until the
   * signal is aborted. The server may pause in between.
   */
  watch (server: Server, options: WatchOptions): void {
    this.add(() => socketOf(server), options)
  }

  /**
   * Watch a port that several processes of ours listen on, until the signal is aborted
   */
  watchProcesses (port: ProcessesPort, options: WatchOptions): void {
    this.add(() => socketsOf(port), options)
  }

  private add (own: Watched['own'], { log, signal }: WatchOptions): void {
    if (signal.aborted) {
      return
    }

    const watched: Watched = { log, own, isShared: false }
    this.watched.add(watched)
    signal.addEventListener('abort', () => { this.remove(watched) }, { once: true })

    if (this.next?.isFirst !== true) {
      this.next?.timer.clear()
      this.lookIn(FIRST_LOOK)
    }
  }

  /**
   * Look now, and log what has changed
   */
  private async look (): Promise<void> {
    const before = [...this.watched].map(watched => ({ watched, own: watched.own() }))
    const listening = await this.init.list().catch(() => {})

    // Not Linux, or a passing error such as EMFILE
    if (listening == null) {
      return
    }

    const byPort = Map.groupBy(listening, ({ port }) => port)

    for (const { watched, own } of before) {
      // It stopped while the list was read, or listens with other sockets
      if (own == null || !this.watched.has(watched) || watched.own()?.identity !== own.identity) {
        continue
      }

      const { socket, others, endpoint } = own
      const takers = byPort.get(socket.port)?.filter(other => takesFrom(socket, other)) ?? []
      const isShared = takers.length > others

      if (isShared !== watched.isShared) {
        watched.isShared = isShared
        report(watched.log, endpoint, isShared)
      }
    }
  }

  private remove (watched: Watched): void {
    this.watched.delete(watched)

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

function socketOf (server: Server): OwnSockets | undefined {
  const address = server.address()
  const inode = inodeOf(server)

  if (inode == null || address == null || typeof address === 'string') {
    return
  }

  const { address: host, port } = address

  return { endpoint: { host, port }, socket: toListeningSocket(host, port, inode), others: 0, identity: `${inode}` }
}

function socketsOf ({ host, port, processes }: ProcessesPort): OwnSockets | undefined {
  const ids = processes()

  // no socket has the inode 0: the kernel may choose any of theirs in place of it
  return ids == null
    ? undefined
    : {
        endpoint: { host, port },
        socket: toListeningSocket(host, port, 0),
        others: ids.length,
        identity: ids.join()
      }
}

function report (log: Logger, { host, port }: Endpoint, isShared: boolean): void {
  if (isShared) {
    log.error(
      'another program listens on port %d too and takes inbound connections of %s:%d: ' +
      'stop it or choose another port, `ss -ltnp sport = :%d` shows it',
      port, host, port, port
    )
  } else {
    log('no other program listens on port %d any more', port)
  }
}
