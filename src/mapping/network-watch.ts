import type { Endpoint } from '../address/endpoint.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Network } from '../runtime/network.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * A check that is this many times as late as it should be means that the machine slept
 */
const SLEPT = 2

/**
 * A connection by the addresses of its two ends
 */
export interface Route {
  remote?: Endpoint
  local?: Endpoint
}

interface Times {
  now: number
  date: number
}

export interface NetworkWatchInit<T extends Route> {
  network: Network
  clock: Clock

  /**
   * Time between two checks, in ms
   */
  interval: number

  /**
   * The connections that there are
   */
  routes(): T[]

  /**
   * The system would now reach the other end of this connection from another
   * address: the connection's own has vanished, or the default route has changed
   */
  onMoved(route: T, address: string): void

  /**
   * The machine slept for so many ms: timers are overdue
   */
  onWake(ms: number): void
}

/**
 * Detects when connections no longer leave from the right local address. Node has no
 * event for changes of the network, and a TCP connection whose address has vanished
 * just falls silent.
 *
 * A UDP socket tells which address the system would use. Rules that match TCP, ports
 * or a hash of both ends may route the TCP connection otherwise. Then a new
 * connection leaves from the old address again, and this answer is not believed a
 * second time for these two addresses.
 */
export class NetworkWatch<T extends Route> {
  private readonly init: NetworkWatchInit<T>
  private looked: Times
  private timer?: Timer
  /** The remote hosts of each move that was reported, and in which check, by its two addresses */
  private reported?: Map<string, Map<string, number>>
  private checks = 0
  private disbelieved?: Set<string>

  constructor (init: NetworkWatchInit<T>) {
    this.init = init
    this.looked = readTimes(init.clock)
  }

  /**
   * Until the signal is aborted
   */
  start ({ signal }: Required<AbortOptions>): void {
    const { clock, interval } = this.init
    const look = (): void => {
      this.look(signal).finally(() => {
        if (!signal.aborted) {
          this.timer = clock.setTimeout(look, interval)
        }
      })
    }

    signal.addEventListener('abort', () => { this.timer?.clear() })
    this.looked = readTimes(clock)
    this.timer = clock.setTimeout(look, interval)
  }

  private async look (signal: AbortSignal): Promise<void> {
    const { network, clock, interval, routes, onMoved, onWake } = this.init
    const times = readTimes(clock)
    // while the machine sleeps, the monotonic clock of Linux stands still and the
    // date goes on. When it was only the date that was set, asking does no harm.
    const passed = Math.max(times.now - this.looked.now, times.date - this.looked.date)
    this.looked = times
    this.checks++

    if (passed > SLEPT * interval) {
      onWake(passed)
    }

    for (const route of routes()) {
      const { remote, local } = route

      if (remote == null || local == null) {
        continue
      }

      const address = await network.localAddress(remote)

      if (signal.aborted) {
        return
      }

      // without a route to anywhere the connection may still be there when there is one again
      if (address != null && this.isMove(remote.host, local.host, address)) {
        onMoved(route, address)
      }
    }
  }

  /**
   * Whether a new connection would help
   */
  private isMove (remote: string, from: string, to: string): boolean {
    if (from === to) {
      // every move that ended here was one
      this.reported?.forEach((remotes, move) => {
        if (move.endsWith(` ${to}`)) {
          remotes.delete(remote)
        }
      })

      return false
    }

    const move = `${from} ${to}`
    const reported = this.reported ?? new Map<string, Map<string, number>>()
    const remotes = reported.get(move) ?? new Map<string, number>()
    this.reported = reported.set(move, remotes)

    // the connection was made anew since an earlier check and leaves from the old address
    if ((remotes.get(remote) ?? this.checks) < this.checks) {
      this.disbelieved = (this.disbelieved ?? new Set()).add(move)
    }

    remotes.set(remote, this.checks)

    return this.disbelieved?.has(move) !== true
  }
}

function readTimes (clock: Clock): Times {
  return { now: clock.now(), date: clock.date() }
}
