/**
 * Renewing connections more often than this has no benefit, in ms
 */
const MIN_HOLD_TIME = 1_000

/**
 * Lifetimes within this fraction of each other imply a timer on the server
 */
const SAME_AGE = 0.2

/**
 * How long a server keeps connections
 */
export interface HoldTime {
  /**
   * How long its last connection lived, in ms
   */
  last?: number

  /**
   * How long it keeps a connection, in ms: known once it ended two in a row at
   * about the same age. One may end for any reason.
   */
  known?: number
}

/**
 * Learn from a connection that the server ended after `ms`. A server that hangs up
 * sooner than `least` ms cannot hold a mapping: its time is of no use. Pure.
 */
export function learnHoldTime ({ last, known }: HoldTime, ms: number, least: number): HoldTime {
  if (ms < Math.max(least, MIN_HOLD_TIME)) {
    return { last: ms }
  }

  const isTimer = last != null && Math.abs(ms - last) <= SAME_AGE * Math.max(ms, last)

  return { last: ms, known: isTimer ? Math.min(ms, last) : known }
}
