/**
 * An address that comes back within this time was never given up by the NAT, in ms.
 * It is also how long an address must stay the same until it is believed again.
 */
export const RETURN_WINDOW = 5 * 60_000

/**
 * After so many returns the NAT draws from a pool of addresses
 */
const RETURNS = 2

/**
 * More earlier addresses need not be remembered
 */
const MAX_PAST = 16

/**
 * The addresses of a mapping as multiaddrs (`/ip4/1.2.3.4/tcp/50123`), with times by
 * the monotonic clock in ms. Never mutated.
 */
export interface AddressHistory {
  current?: string

  /**
   * Since when it is the current one
   */
  since: number

  past: Array<{ address: string, until: number }>

  /**
   * When an earlier address came back
   */
  returns: number[]

  /**
   * The NAT gives connections different public addresses
   */
  isPooled: boolean
}

export const NO_HISTORY: AddressHistory = { since: 0, past: [], returns: [], isPooled: false }

/**
 * Add what was found out now. A NAT may have several public addresses and draw
 * one for each connection ("IP address pooling" is "arbitrary", RFC 4787 section
 * 4.1). Then addresses alternate: an address that comes back within minutes is no
 * change of address. Pure.
 */
export function recordAddress (history: AddressHistory, address: string, now: number): AddressHistory {
  const { current, since } = history
  const recent = (time: number): boolean => now - time < RETURN_WINDOW

  if (current == null) {
    return { ...history, current: address, since: now }
  }

  if (current === address) {
    return history.isPooled && !recent(since) ? { ...history, past: [], returns: [], isPooled: false } : history
  }

  const isReturn = history.past.some(({ address: earlier, until }) => recent(until) &&
    (earlier === address || (hostOf(earlier) === hostOf(address) && hostOf(current) !== hostOf(address))))
  const returns = [...history.returns.filter(recent), ...(isReturn ? [now] : [])]

  return {
    current: address,
    since: now,
    past: [...history.past.filter(({ until }) => recent(until)), { address: current, until: now }].slice(-MAX_PAST),
    returns,
    isPooled: history.isPooled || returns.length >= RETURNS
  }
}

function hostOf (address: string): string {
  return address.split('/')[2]
}
