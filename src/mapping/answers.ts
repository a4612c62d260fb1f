import type { HeldConnection } from './held-connection.ts'
import type { Answer } from './verdict.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * An answer with what only its store and its lifetime need
 */
export interface StoredAnswer extends Answer {
  connection: HeldConnection

  /**
   * The local address and port of the connection
   */
  local: Endpoint

  /**
   * When the connection ended, by the monotonic clock in ms
   */
  endedAt?: number
}

/**
 * The last answer of each server
 */
export class Answers {
  private readonly answers = new Map<string, StoredAnswer>()

  /**
   * The first answer on a connection counts as long as the connection lives: its
   * address cannot change. One that differs shows that the server lies.
   *
   * @returns whether it differs
   */
  add (answer: StoredAnswer): boolean {
    const first = this.answers.get(answer.server)
    const isContradictory =
      first?.connection === answer.connection && (first.isContradictory === true || first.external !== answer.external)
    this.answers.set(answer.server, isContradictory ? { ...answer, external: first.external, isContradictory } : answer)

    return isContradictory
  }

  /**
   * The connection has ended. Until now its answer was right.
   */
  markEnded (connection: HeldConnection, now: number): void {
    const answer = this.get(connection)

    if (answer?.isHeld === true) {
      this.answers.set(answer.server, { ...answer, isHeld: false, endedAt: now })
    }
  }

  /**
   * Forget what a connection has answered
   */
  forget (connection: HeldConnection): void {
    const answer = this.get(connection)

    if (answer != null) {
      this.answers.delete(answer.server)
    }
  }

  get (connection: HeldConnection): StoredAnswer | undefined {
    return this.list().find(answer => answer.connection === connection)
  }

  list (): StoredAnswer[] {
    return [...this.answers.values()]
  }
}
