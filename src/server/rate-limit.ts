/**
 * For sums of fractions that should be equal
 */
const EPSILON = 1e-6

/**
 * So many a second, with a second's worth at once: pure, it is told the time.
 * One number is all that it holds: when it will have forgotten everything (the
 * generic cell rate algorithm), for there is one a connection.
 */
export class RateLimit {
  private readonly interval: number
  private forgotten = 0

  constructor (perSecond: number) {
    this.interval = 1_000 / perSecond
  }

  /**
   * Whether one more is allowed now, which then counts
   */
  take (now: number): boolean {
    if (this.forgotten - now > 1_000 - this.interval + EPSILON) {
      return false
    }

    this.forgotten = Math.max(this.forgotten, now) + this.interval

    return true
  }

  /**
   * Whether it is as good as new
   */
  isIdle (now: number): boolean {
    return this.forgotten <= now
  }
}
