/**
 * How many requests may come at once: those of this time, in ms
 */
const BURST = 2_000

/**
 * Slows a connection down that sends too many requests (GCRA). It is told the time.
 */
export class Pace {
  /**
   * When all requests so far are paid for, in ms
   */
  private paidAt = -Infinity
  private readonly interval: number

  constructor (perSecond: number) {
    this.interval = 1_000 / perSecond
  }

  /**
   * Count a request
   *
   * @returns how long it must wait, in ms
   */
  take (now: number): number {
    this.paidAt = Math.max(this.paidAt, now) + this.interval

    return Math.max(0, this.paidAt - now - BURST)
  }
}
