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
  /**
   * Connections accepted when the last burst was over, and when this interval began
   */
  private atLastCalm = 0
  private atStart = 0
  private start = 0

  /**
   * Whether a burst has ended, which is then forgotten
   *
   * @param accepted - connections accepted so far
   * @param now - in ms
   */
  hasEnded (accepted: number, now: number): boolean {
    if (now - this.start < INTERVAL) {
      return false
    }

    const isCalm = accepted - this.atStart < MAX_CALM
    this.start = now
    this.atStart = accepted

    if (!isCalm || accepted - this.atLastCalm < MIN_BURST) {
      return false
    }

    this.atLastCalm = accepted

    return true
  }
}
