/**
 * The questions to the two processes of a subject
 */
export type Question =
  /**
   * Answered with where to connect to; counts what comes, or sends it back. Sends such
   * messages when it is asked to.
   */
  { do: 'listen', reply: boolean, size: number, pieces: number } |
  /** Counts what comes too, or waits for replies */
  { do: 'connect', address: string, connections: number, reply: boolean, size: number, pieces: number } |
  /** Count from now on */
  { do: 'begin' } |
  /** For so many ms */
  { do: 'send', time: number } |
  /** Answered when so many bytes have come */
  { do: 'receive', length: number } |
  /** For so many ms, on all connections */
  { do: 'request', time: number }

export interface Done {
  /**
   * ms since 1970, by a monotonic clock
   */
  begin: number
  end: number

  /**
   * Bytes that were sent or received, or replies
   */
  amount: number
}
