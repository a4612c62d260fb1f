import { Alarm } from '../runtime/alarm.ts'
import type { ConnectionSet } from './connection-set.ts'
import type { HeldConnection } from './held-connection.ts'
import type { Clock } from '../runtime/clock.ts'

/**
 * When fewer servers than needed have accepted a connection by then, in ms, the race begins
 */
const DELAY = 10
const MAX_RACERS = 16

/**
 * While there is no address, more servers than wanted are connected to, because a dead one
 * must not delay it. Those that were drawn at random before are asked in any case, so that
 * no operator can rely on being fast. Of the others only those that are needed are asked:
 * the rest gets a SYN and a reset, a few packets beside the thousand that a held mapping
 * takes in an hour.
 */
export class Race {
  private readonly all: ConnectionSet
  private readonly clock: Clock
  private readonly alarm: Alarm
  private state: { name: 'ahead' | 'over' } | { name: 'running', drawn: HeldConnection[] } = { name: 'ahead' }

  constructor (all: ConnectionSet, clock: Clock, onStart: () => void) {
    this.all = all
    this.clock = clock
    this.alarm = new Alarm(clock, () => {
      this.state = { name: 'running', drawn: all.list() }
      onStart()
    })
  }

  start (): void {
    this.alarm.set(this.clock.now() + DELAY)
  }

  /**
   * There is an address, or no hope of one
   *
   * @returns the connections that are not needed any longer
   */
  end (): HeldConnection[] {
    const { state } = this
    this.alarm.clear()
    this.state = { name: 'over' }

    return state.name === 'running'
      ? this.all.list().filter(connection => !connection.asked && !state.drawn.includes(connection))
      : []
  }

  /**
   * How many connections there may be, where so many are wanted with a spare one
   */
  limit (wanted: number): number {
    return this.state.name === 'running' && this.all.asked < wanted - 1 ? Math.max(wanted, MAX_RACERS) : wanted
  }

  /**
   * Whether a server that has accepted a connection is to be asked
   */
  isNeeded (connection: HeldConnection, wanted: number): boolean {
    return this.state.name !== 'running' || this.state.drawn.includes(connection) || this.all.asked < wanted - 1
  }
}
