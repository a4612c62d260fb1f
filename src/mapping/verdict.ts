import type { Observation } from '../stun/consensus.ts'

/**
 * What a server answered on one connection
 */
export interface Answer extends Observation {
  /**
   * When the server answered last on this connection, by the monotonic clock in ms
   */
  time: number

  /**
   * The local IP address of the connection
   */
  localHost: string

  /**
   * From the request to the answer, in ms
   */
  roundTrip: number

  /**
   * Whether the connection lives
   */
  isHeld: boolean

  /**
   * Whether the server reported different addresses on this one connection. The
   * address of a TCP connection never changes, so the server lies.
   */
  isContradictory?: boolean
}

/**
 * - `none`: no answer counts
 * - `agreed`: one address. `supporters` may have ended connections. What the
 * `dissenters` report does not count.
 * - `contested`: ask those that were asked `again`, and `more` other servers. `until`
 * then the first ones have to answer.
 * - `undecided`: the servers differ, or one voice alone is not enough
 */
export type Verdict<T extends Answer = Answer> =
  { verdict: 'none', dissenters: T[] } |
  { verdict: 'agreed', external: string, supporters: T[], dissenters: T[] } |
  { verdict: 'contested', since?: number, until?: number, again: T[], more: number, dissenters: T[] } |
  { verdict: 'undecided', answers: T[], more: number, dissenters: T[] }
