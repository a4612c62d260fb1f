import type { Punch } from './role.ts'
import type { Connection } from '@libp2p/interface'

/**
 * For how long one dial of a punch is repeated, in ms
 */
const MAX_DURATION = 1_000

/**
 * How many refused dials one relayed connection may cause. The peer may have named
 * several addresses, and we cannot verify who owns them.
 */
const MAX_REFUSALS = 100

/**
 * Decides whether a refused dial of a hole punch is repeated.
 *
 * A router may answer an unsolicited SYN with a reset (against RFC 5382, REQ-4).
 * The SYN that arrives first in a punch is unsolicited, so that dial is refused.
 * DCUtR would wait for the other dial and then repeat the attempt, with the same
 * outcome. Instead, the SYN is sent again after a random part of the time that the
 * reset took. Each SYN opens our own router for that time, so one of the peer's SYNs
 * soon arrives within it.
 */
export class Refusals {
  private readonly counts = new WeakMap<Connection, number>()

  /**
   * Count a refused dial
   *
   * @param punch - the punch that the dial belongs to
   * @param duration - for how long the dial has been repeated, in ms
   * @returns whether to repeat it
   */
  mayRepeat (punch: Punch | undefined, duration: number): punch is Punch {
    if (punch == null || duration > MAX_DURATION) {
      return false
    }

    const count = this.counts.get(punch.relayed) ?? 0
    this.counts.set(punch.relayed, count + 1)

    return count < MAX_REFUSALS
  }
}
