/**
 * A worker that has not sent its status for this long hangs or is stopped, in ms
 */
const SERVING_TIMEOUT = 5_000

/**
 * How long a worker may take to load and to listen, in ms
 */
const STARTING_TIMEOUT = 30_000

export interface Heartbeat {
  state: 'starting' | 'serving'

  /**
   * When it last sent anything, in ms
   */
  heardAt: number
}

/**
 * Tells which workers are silent for too long. The kernel goes on giving a
 * stopped worker its share of the connections, so it must be replaced. This class
 * has no clock: it is told the time.
 */
export class Heartbeats {
  private readonly interval: number
  private checkedAt: number
  private pausedUntil = 0

  /**
   * @param interval - how often `findSilent` is called, in ms
   */
  constructor (interval: number, now: number) {
    this.interval = interval
    this.checkedAt = now
  }

  findSilent<T extends Heartbeat> (workers: Iterable<T>, now: number): T[] {
    // This process did not run either, for example because the machine slept: what
    // the workers sent meanwhile is still unread.
    if (now - this.checkedAt > 2 * this.interval) {
      this.pausedUntil = now + SERVING_TIMEOUT
    }

    this.checkedAt = now

    if (now < this.pausedUntil) {
      return []
    }

    return [...workers].filter(
      ({ state, heardAt }) => now - heardAt > (state === 'serving' ? SERVING_TIMEOUT : STARTING_TIMEOUT)
    )
  }
}
