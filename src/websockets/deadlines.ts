import { Alarm } from '../runtime/alarm.ts'
import type { Clock } from '../runtime/clock.ts'

export interface DeadlinesInit<T> {
  clock: Clock

  /**
   * In ms
   */
  time: number
  onExpire(item: T): void
}

/**
 * Gives each item the same time, by one timer for all: thousands of sockets may wait
 */
export class Deadlines<T> {
  private readonly clock: Clock
  private readonly time: number
  private readonly onExpire: (item: T) => void
  private readonly alarm: Alarm

  /**
   * When the time of each item is over, the earliest first
   */
  private readonly ends = new Map<T, number>()

  constructor ({ clock, time, onExpire }: DeadlinesInit<T>) {
    this.clock = clock
    this.time = time
    this.onExpire = onExpire
    this.alarm = new Alarm(clock, () => { this.expire() })
  }

  get size (): number {
    return this.ends.size
  }

  has (item: T): boolean {
    return this.ends.has(item)
  }

  start (item: T): void {
    const end = this.clock.now() + this.time
    // last in the order of insertion
    this.ends.delete(item)
    this.ends.set(item, end)
    this.alarm.set(end)
  }

  /**
   * @returns whether its time had been started
   */
  stop (item: T): boolean {
    return this.ends.delete(item)
  }

  clear (): void {
    this.ends.clear()
    this.alarm.clear()
  }

  private expire (): void {
    const now = this.clock.now()

    for (const [item, end] of this.ends) {
      if (end > now) {
        this.alarm.set(end)
        return
      }

      this.ends.delete(item)
      this.onExpire(item)
    }
  }
}
