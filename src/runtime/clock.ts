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
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms)

    return { clear: () => { clearTimeout(timer) } }
  }
}
