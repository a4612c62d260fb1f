import type { Registration } from './registration.ts'
import type { RegistrationKey } from '../store/store.ts'

/**
 * The registrations of each peer, most of which have one: they are linked by `next`, which
 * takes less memory than a list for each peer
 */
export class PeerIndex {
  /**
   * The first registration of each peer
   */
  private readonly first = new Map<string, Registration>()

  /**
   * How many peers there are
   */
  get size (): number {
    return this.first.size
  }

  has (peer: string): boolean {
    return this.first.has(peer)
  }

  ids (): Iterable<string> {
    return this.first.keys()
  }

  * of (peer: string): Generator<Registration> {
    for (let entry = this.first.get(peer); entry != null; entry = entry.next) {
      yield entry
    }
  }

  find ({ peer, namespace, form }: RegistrationKey): Registration | undefined {
    for (const entry of this.of(peer)) {
      if (entry.namespace === namespace && entry.form === form) {
        return entry
      }
    }
  }

  count (peer: string): number {
    let count = 0

    for (let entry = this.first.get(peer); entry != null; entry = entry.next) {
      count++
    }

    return count
  }

  add (registration: Registration): void {
    registration.next = this.first.get(registration.peer)
    this.first.set(registration.peer, registration)
  }

  remove (registration: Registration): void {
    const { peer, next } = registration
    let previous = this.first.get(peer)

    if (previous === registration) {
      if (next == null) {
        this.first.delete(peer)
      } else {
        this.first.set(peer, next)
      }

      return
    }

    while (previous != null && previous.next !== registration) {
      previous = previous.next
    }

    if (previous != null) {
      previous.next = next
    }
  }
}
