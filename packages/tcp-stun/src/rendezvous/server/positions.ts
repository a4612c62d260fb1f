import { RUNS } from './cookie.ts'
import type { Cookie } from './cookie.ts'

/**
 * How many registrations a millisecond may have
 */
const PER_MILLISECOND = 4_096

/**
 * What a reader has read before a restart is read again from this much earlier, in ms: the
 * store may lack the last registrations, and the clocks of several helpers differ
 */
const MARGIN = 60_000

/**
 * Numbers the registrations of a board in ascending order, by the time of day. So the
 * numbers still ascend after a restart, even if nothing was stored, and readers can go on
 * where they were.
 */
export class Positions {
  /**
   * Tells this run of the helper from others
   */
  readonly run = Math.floor(Math.random() * RUNS)

  private readonly date: () => number
  private last = 0

  /**
   * @param date - the time of day, in ms since the epoch
   */
  constructor (date: () => number) {
    this.date = date
  }

  /**
   * The position of the last registration
   */
  get latest (): number {
    return this.last
  }

  next (): number {
    this.last = Math.max(this.last + 1, this.date() * PER_MILLISECOND)

    return this.last
  }

  /**
   * The position here of a registration that was numbered before, by this helper or
   * another one. They should come in ascending order.
   */
  adopt (position: number): number {
    this.last = Math.max(this.last + 1, position)

    return this.last
  }

  /**
   * From where on somebody should read who has read up to a position, in this run or another
   */
  resume ({ position, run }: Pick<Cookie, 'position' | 'run'>): number {
    if (position > this.last) {
      // not a position of this board: read everything
      return 0
    }

    return run === this.run ? position : position - MARGIN * PER_MILLISECOND
  }
}
