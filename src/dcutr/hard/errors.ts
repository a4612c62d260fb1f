/**
 * Why a hard punch did not begin, or ended without a connection. Their order is that of
 * the numbers on the wire, so new ones go to the end.
 *
 * - `other`: the text says it
 * - `both-hard`: the mapping of both peers depends on the destination
 * - `no-address`: the easy side knows no public IPv4 address of its own
 * - `bad-address`: the offered address is no public IPv4 address
 * - `foreign-address`: the offered address is another host's, as far as is known
 * - `same-address`: both peers have the same public address
 * - `bad-ports`: the ranges or counts make no sense
 * - `too-many-ports`: so many ports that the allowed probes would hardly find one
 * - `busy`: another hard punch is under way
 * - `too-soon`: the peer, its address, or all peers have had their punches for a while
 * - `denied`: the connection gater denies it
 * - `not-met`: no probe has met a connect
 * - `superseded`: the two peers have been connected directly in another way meanwhile
 */
export const REASONS = [
  'other',
  'both-hard',
  'no-address',
  'bad-address',
  'foreign-address',
  'same-address',
  'bad-ports',
  'too-many-ports',
  'busy',
  'too-soon',
  'denied',
  'not-met',
  'superseded'
] as const

export type Reason = typeof REASONS[number]

/**
 * A hard punch did not begin, or ended without a connection
 */
export class HardPunchError extends Error {
  static name = 'HardPunchError'
  name = 'HardPunchError'

  readonly reason: Reason

  constructor (reason: Reason, message: string) {
    super(message)

    this.reason = reason
  }
}
