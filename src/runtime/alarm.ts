import type { Clock, Timer } from './clock.ts'

/**
 * Calls back once, at the earliest of the times it was set to
 */
export class Alarm {
  private readonly clock: Clock
  private readonly callback: () => void
  private due?: { at: number, timer: Timer }

  constructor (clock: Clock, callback: () => void) {
    this.clock = clock
    this.callback = callback
  }

  /**
   * @param at - by the monotonic clock in ms; a time that is over is as soon as possible
   */
  set (at: number | undefined): void {
    if (at == null || (this.due != null && this.due.at <= at)) {
      return
    }

    this.clear()
    const timer = this.clock.setTimeout(() => {
      this.due = undefined
      this.callback()
    }, Math.max(1, at - this.clock.now()))
    this.due = { at, timer }
  }

  clear (): void {
    this.due?.timer.clear()
    this.due = undefined
  }
}
