import type { Registration } from './registration.ts'

/**
 * Registrations that expire within this time of each other are looked at together, in ms
 */
const SLOT = 10_000

/**
 * Finds the registrations that have expired, without looking at the others. A
 * registration is looked at again when it was refreshed meanwhile.
 */
export class ExpiryQueue {
  private readonly slots = new Map<number, Registration[]>()

  /**
   * The slots before this one are empty
   */
  private first = Infinity

  add (registration: Registration): void {
    const slot = Math.floor(registration.expires / SLOT)
    const list = this.slots.get(slot)
    this.first = Math.min(this.first, slot)

    if (list == null) {
      this.slots.set(slot, [registration])
    } else {
      list.push(registration)
    }
  }

  /**
   * Take out what has expired. It may be up to 10 s late.
   */
  take (now: number): Registration[] {
    const current = Math.floor(now / SLOT)
    const expired: Registration[] = []

    if (this.slots.size === 0) {
      this.first = Infinity
    }

    for (; this.first < current; this.first++) {
      const list = this.slots.get(this.first) ?? []
      this.slots.delete(this.first)

      for (const registration of list) {
        if (registration.removed) {
          continue
        }

        if (registration.expires <= now) {
          expired.push(registration)
        } else {
          this.add(registration)
        }
      }

      if (this.slots.size === 0) {
        this.first = Infinity
        break
      }
    }

    return expired
  }
}
