import type { Endpoint } from '../address/endpoint.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Network } from '../runtime/network.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * When a look is this many times as late as it should be, the machine slept
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
   * Look this often, in ms
   */
  interval: number

  /**
   * The connections that there are
   */
  routes(): T[]

  /**
   * The system would reach the other end of this connection from another address
   * now: its own has vanished, or the default route goes another way
   */
  onMoved(route: T, address: string): void

  /**
   * The machine slept for so many ms: whatever was due is overdue
   */
  onWake(ms: number): void
}

/**
 * Node has no event for changes of the network, and a TCP connection whose
 * address has vanished just falls silent: so look
 */
export class NetworkWatch<T extends Route> {
  private readonly init: NetworkWatchInit<T>
  private looked: Times
  private timer?: Timer

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
      if (address != null && address !== local.host) {
        onMoved(route, address)
      }
    }
  }
}

function readTimes (clock: Clock): Times {
  return { now: clock.now(), date: clock.date() }
}
