import { performance } from 'node:perf_hooks'
import type { EventLoopUtilization } from 'node:perf_hooks'

/**
 * Above this share of its time a process counts as busy
 */
const BUSY = 0.2

/**
 * Between two handshakes of a busy process, in ms. A stranger that is refused takes half of that
 * time, so that a member waits for one of them at most, and no line of them. A peer that joins
 * takes all of it: after a restart peers come back as fast as they can.
 */
const GAP = 15

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
