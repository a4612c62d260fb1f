/**
 * How many requests a connection may send a second, and how many at once
 */
const RATE = 20
const BURST = 40

const INTERVAL = 1_000 / RATE

/**
 * Slows a connection down that sends too many requests (GCRA). It is told the time.
 */
export class Pace {
  /**
   * When all requests so far are paid for, in ms
   */
  private paidAt = -Infinity

  /**
   * Count a request
   *
   * @returns how long it must wait, in ms
   */
  take (now: number): number {
    this.paidAt = Math.max(this.paidAt, now) + INTERVAL

    return Math.max(0, this.paidAt - now - BURST * INTERVAL)
  }
}
