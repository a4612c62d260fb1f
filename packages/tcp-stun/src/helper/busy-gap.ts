import { performance } from 'node:perf_hooks'
import type { EventLoopUtilization } from 'node:perf_hooks'

/**
 * Above this share of its time a process counts as busy
 */
const BUSY = 0.5

/**
 * Between two handshakes of a busy process, in ms: one takes about 5 ms, so that unknown hosts
 * get a fifth of the time of the processor
 */
const GAP = 25

/**
 * How often to look, in ms
 */
const INTERVAL = 100

/**
 * How long to wait between two handshakes of unknown hosts
 */
export class BusyGap {
  private before: EventLoopUtilization = performance.eventLoopUtilization()
  private lookedAt = -Infinity
  private isBusy = false

  /**
   * @returns in ms
   */
  next (): number {
    const now = performance.now()

    if (now - this.lookedAt >= INTERVAL) {
      const current = performance.eventLoopUtilization()
      this.isBusy = performance.eventLoopUtilization(current, this.before).utilization > BUSY
      this.before = current
      this.lookedAt = now
    }

    return this.isBusy ? GAP : 0
  }
}
