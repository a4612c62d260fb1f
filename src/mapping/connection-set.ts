import { isSameEndpoint } from '../address/endpoint.ts'
import type { HeldConnection } from './held-connection.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * The connections that there are, from the first packet to the end of each
 */
export class ConnectionSet {
  private readonly running = new Map<HeldConnection, Promise<void>>()

  /**
   * Run a connection until it ends
   */
  run (connection: HeldConnection, onEnd: (err: Error) => void): void {
    this.running.set(connection, connection.run().catch(onEnd))
  }

  /**
   * It has ended
   */
  delete (connection: HeldConnection): void {
    this.running.delete(connection)

    // a new connection whose old one is gone is one like any other
    for (const other of this.replacements()) {
      if (other.replaces === connection) {
        other.replaces = undefined
      }
    }
  }

  get size (): number {
    return this.running.size
  }

  /**
   * How many have no answer yet
   */
  get connecting (): number {
    return this.size - this.held().length
  }

  /**
   * How many have been asked
   */
  get asked (): number {
    return this.list().filter(({ asked, dropped }) => asked && !dropped).length
  }

  /**
   * Ask on all connections now
   */
  askAgain (): void {
    this.list().forEach(connection => { connection.askAgain() })
  }

  list (): HeldConnection[] {
    return [...this.running.keys()]
  }

  /**
   * Those that have an answer
   */
  held (): HeldConnection[] {
    return this.list().filter(({ since }) => since != null)
  }

  /**
   * The new connections of renewals, which come on top of those that are wanted
   */
  replacements (): HeldConnection[] {
    return this.list().filter(({ replaces }) => replaces != null)
  }

  /**
   * Whether another connection than this has that endpoint
   */
  isTaken (connection: HeldConnection, endpoint: Endpoint): boolean {
    return this.list().some(
      other => other !== connection && other.endpoint != null && isSameEndpoint(other.endpoint, endpoint)
    )
  }

  /**
   * End all, and wait for that
   */
  async close (): Promise<void> {
    this.running.forEach((_, connection) => { connection.drop() })
    await Promise.all(this.running.values())
  }
}
