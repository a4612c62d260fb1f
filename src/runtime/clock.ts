/**
 * A timer that has not fired yet
 */
export interface Timer {
  clear(): void
}

/**
 * Time comes in through this, so that days of keep-alive are tested in
 * milliseconds
 */
export interface Clock {
  /**
   * Milliseconds since the epoch
   */
  now(): number

  /**
   * Call back once after so many milliseconds
   */
  setTimeout(callback: () => void, ms: number): Timer
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => new SystemTimer(callback, ms)
}

/**
 * A class, since closures would double what a timer takes
 */
class SystemTimer implements Timer {
  private readonly timer: NodeJS.Timeout

  constructor (callback: () => void, ms: number) {
    this.timer = setTimeout(callback, ms)
  }

  clear (): void {
    clearTimeout(this.timer)
  }
}
