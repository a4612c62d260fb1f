import type { Registration } from './registration.ts'

/**
 * Removed entries that a list keeps before it is worth compacting
 */
const SLACK = 16

/**
 * Registrations in the order of their positions. To find what is new takes a binary
 * search, however many there are. What has been removed is only marked, and left out
 * when half of the list is.
 */
export class OrderedList {
  private entries: Registration[] = []
  private live = 0

  /**
   * How many registrations are in the list
   */
  get size (): number {
    return this.live
  }

  /**
   * Add a registration whose position is larger than that of all others
   */
  append (registration: Registration): void {
    this.entries.push(registration)
    this.live++
  }

  /**
   * A registration of this list was marked as removed
   */
  forget (): void {
    this.live--

    if (this.entries.length > 2 * this.live + SLACK) {
      this.entries = this.entries.filter(({ removed }) => !removed)
    }
  }

  /**
   * The registrations after a position
   */
  * after (position: number): Generator<Registration> {
    const { entries } = this

    for (let i = this.firstAfter(position); i < entries.length; i++) {
      if (!entries[i].removed) {
        yield entries[i]
      }
    }
  }

  private firstAfter (position: number): number {
    let low = 0
    let high = this.entries.length

    while (low < high) {
      const middle = (low + high) >>> 1

      if (this.entries[middle].position <= position) {
        low = middle + 1
      } else {
        high = middle
      }
    }

    return low
  }
}
