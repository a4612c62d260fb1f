/**
 * A burst of clients of STUN leaves garbage that is worth collecting from this many
 * connections on
 */
const MIN_BURST = 1_000

/**
 * Fewer new connections than this in one interval are no burst
 */
const MAX_CALM = 50

/**
 * How long it must be calm, in ms
 */
const INTERVAL = 10_000

/**
 * Tells when a burst of connections is over. It has no clock: it is told the
 * time.
 */
export class CalmAfterBurst {
  private readonly interval: number

  /**
   * Connections accepted when the last burst was over, and when this interval began
   */
  private atLastCalm = 0
  private atStart = 0
  private start = 0

  /**
   * @param interval - how long it must be calm, in ms
   */
  constructor (interval = INTERVAL) {
    this.interval = interval
  }

  /**
   * Whether a burst has ended, which is then forgotten
   *
   * @param accepted - connections accepted so far
   * @param now - in ms
   * @param minBurst - so many connections are a burst
   */
  hasEnded (accepted: number, now: number, minBurst = MIN_BURST): boolean {
    if (now - this.start < this.interval) {
      return false
    }

    const isCalm = accepted - this.atStart < MAX_CALM
    this.start = now
    this.atStart = accepted

    if (!isCalm || accepted - this.atLastCalm < minBurst) {
      return false
    }

    this.atLastCalm = accepted

    return true
  }
}
