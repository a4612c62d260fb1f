/**
 * A timer that has not fired yet
 */
export interface Timer {
  clear(): void
}

/**
 * The source of time. Tests replace it, so that days of keep-alive take
 * milliseconds.
 */
export interface Clock {
  /**
   * Milliseconds on a clock that is never set, from an arbitrary start: for every
   * duration. It may stand still while the machine sleeps.
   */
  now(): number

  /**
   * Milliseconds since the epoch by the system's clock, which users and NTP set:
   * for what is shown, never for a duration
   */
  date(): number

  /**
   * Call back once, after this many milliseconds
   */
  setTimeout(callback: () => void, ms: number): Timer
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  setTimeout: (callback, ms) => new SystemTimer(callback, ms)
}

/**
 * A class: a closure would double the memory of a timer
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
