/**
 * Tolerance for sums of fractions
 */
const EPSILON = 1e-6

/**
 * GCRA rate limiter with one second of burst. It holds one number, because there
 * is one for each connection, and is told the time.
 */
export class RateLimit {
  /**
   * Between two events at the full rate, in ms
   */
  private readonly interval: number

  /**
   * The theoretical arrival time: when all events so far are paid for, in ms
   */
  private paidAt = 0

  constructor (perSecond: number) {
    this.interval = 1_000 / perSecond
  }

  /**
   * Whether one more event is allowed now
   */
  allows (now: number): boolean {
    // below one a second, one event at a time
    return this.paidAt - now <= Math.max(0, 1_000 - this.interval) + EPSILON
  }

  /**
   * Count an event if it is allowed now
   *
   * @returns whether it is
   */
  take (now: number): boolean {
    if (!this.allows(now)) {
      return false
    }

    this.paidAt = Math.max(this.paidAt, now) + this.interval

    return true
  }

  /**
   * Whether no event counts any more
   */
  isIdle (now: number): boolean {
    return this.paidAt <= now
  }
}
