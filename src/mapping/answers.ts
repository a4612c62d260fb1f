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
  /**
   * A few at most, one of each server
   */
  private answers: StoredAnswer[] = []

  /**
   * The first answer on a connection counts as long as the connection lives: its
   * address cannot change. One that differs shows that the server lies.
   *
   * @returns whether it differs
   */
  add (answer: StoredAnswer): boolean {
    const first = this.answers.find(({ server }) => server === answer.server)
    const isContradictory =
      first?.connection === answer.connection && (first.isContradictory === true || first.external !== answer.external)
    this.replace(first, isContradictory ? { ...answer, external: first.external, isContradictory } : answer)

    return isContradictory
  }

  /**
   * The connection has ended. Until now its answer was right.
   */
  markEnded (connection: HeldConnection, now: number): void {
    const answer = this.get(connection)

    if (answer?.isHeld === true) {
      this.replace(answer, { ...answer, isHeld: false, endedAt: now })
    }
  }

  /**
   * Forget what a connection has answered
   */
  forget (connection: HeldConnection): void {
    this.answers = this.answers.filter(answer => answer.connection !== connection)
  }

  get (connection: HeldConnection): StoredAnswer | undefined {
    return this.answers.find(answer => answer.connection === connection)
  }

  list (): StoredAnswer[] {
    return this.answers
  }

  private replace (before: StoredAnswer | undefined, after: StoredAnswer): void {
    this.answers = before == null
      ? [...this.answers, after]
      : this.answers.map(answer => answer === before ? after : answer)
  }
}
