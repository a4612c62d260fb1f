/**
 * How long a connection is new, in ms
 */
const NEW_FOR = 30_000

/**
 * Tells whether most connections are new, as after a restart of the helper. It has no clock:
 * it is told the time.
 */
export class Newcomers<T> {
  /**
   * When each new connection was opened, in this order
   */
  private readonly opened = new Map<T, number>()
  private old = 0

  add (connection: T, now: number): void {
    this.opened.set(connection, now)
  }

  /**
   * A connection that was added is closed
   */
  remove (connection: T): void {
    if (!this.opened.delete(connection)) {
      this.old--
    }
  }

  areMost (now: number): boolean {
    for (const [connection, opened] of this.opened) {
      if (now - opened < NEW_FOR) {
        break
      }

      this.opened.delete(connection)
      this.old++
    }

    return this.opened.size >= this.old
  }
}
