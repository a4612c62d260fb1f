import { METHOD_BINDING } from './constants.ts'
import type { STUNMessage } from './message.ts'

/**
 * Requests that were given up and not answered since. With more of them the server
 * counts as dead.
 */
export const MAX_ABANDONED = 16

/**
 * Indications between two answers. RFC 8489 allows them, and no STUN server is known
 * to send any: more than this are a flood.
 */
const MAX_INDICATIONS = 16

/**
 * A request that has no answer yet
 */
export interface Transaction<T> {
  readonly key: string

  /**
   * What the caller wants to find again with the answer
   */
  readonly request: T

  /**
   * The caller has given up. The answer may still come.
   */
  isAbandoned: boolean
}

/**
 * What a message from the server is:
 *
 * - `answer`: to a request that a caller waits for
 * - `nothing`: an indication, or the answer to a request that was given up
 * - `violation`: nothing that a STUN server may send
 */
export type Received<T> =
  { type: 'answer', request: T } |
  { type: 'nothing' } |
  { type: 'violation', why: string }

/**
 * The requests of one connection, by their transaction ids: it has no clock and no
 * socket
 */
export class Transactions<T> {
  /**
   * A few at most. An empty Map takes as many bytes as ten of these arrays.
   */
  private open: Array<Transaction<T>> = []
  private indications = 0

  add (transactionId: Uint8Array, request: T): Transaction<T> {
    const transaction = { key: toKey(transactionId), request, isAbandoned: false }
    this.open.push(transaction)

    return transaction
  }

  /**
   * Nobody waits for the answer of this transaction any more
   *
   * @returns whether the server has left too many of those unanswered
   */
  abandon (transaction: Transaction<T>): boolean {
    transaction.isAbandoned = true

    return this.open.filter(({ isAbandoned }) => isAbandoned).length > MAX_ABANDONED
  }

  receive (message: STUNMessage): Received<T> {
    if (message.class === 'indication') {
      this.indications++

      return this.indications > MAX_INDICATIONS
        ? { type: 'violation', why: `sent more than ${MAX_INDICATIONS} indications` }
        : { type: 'nothing' }
    }

    const key = toKey(message.transactionId)
    const transaction = this.open.find(transaction => transaction.key === key)

    if (transaction == null || message.class === 'request' || message.method !== METHOD_BINDING) {
      return { type: 'violation', why: 'sent a message that answers no request (wrong id, class or method)' }
    }

    this.open = this.open.filter(other => other !== transaction)
    this.indications = 0

    return transaction.isAbandoned ? { type: 'nothing' } : { type: 'answer', request: transaction.request }
  }

  /**
   * Forget all requests
   *
   * @returns those that callers wait for
   */
  clear (): T[] {
    return this.open.splice(0).filter(({ isAbandoned }) => !isAbandoned).map(({ request }) => request)
  }
}

function toKey (transactionId: Uint8Array): string {
  return Buffer.from(transactionId.buffer, transactionId.byteOffset, transactionId.byteLength).toString('latin1')
}
