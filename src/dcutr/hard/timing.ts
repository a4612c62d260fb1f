import { setImmediate as nextCheck, setTimeout as delay } from 'node:timers/promises'
import { HardPunchError } from './errors.ts'
import type { AbortOptions } from '@libp2p/interface'

/**
 * Probes a second: what a home router handles beside its other traffic
 */
export const PROBES_PER_SECOND = 500

/**
 * A probe has to outlive two round trips, or else it would be reset just when it has met
 * a connect. In ms.
 */
const MIN_HOLD = 600
const HOLD_ROUND_TRIPS = 3

/**
 * The peer has measured the round trip, so it is not believed without bounds, in ms
 */
const MAX_ROUND_TRIP = 1_000

/**
 * How long a probe waits for a connect, in ms
 *
 * @param roundTrip - between the peers, through the relay, in ms
 */
export function holdTime (roundTrip: number): number {
  return Math.ceil(Math.max(MIN_HOLD, HOLD_ROUND_TRIPS * Math.min(roundTrip, MAX_ROUND_TRIP)))
}

/**
 * How long sockets wait for those of the other side, in ms: until a message has arrived
 * there, the last probe has been sent and held, and a message could have come back. With
 * 64 probes and a round trip of up to 200 ms this is less than the second after which the
 * system repeats a SYN, so a silent peer gets no more SYNs than were agreed on.
 *
 * @param probes - how many are sent
 * @param roundTrip - in ms
 */
export function timeToMeet (probes: number, roundTrip: number): number {
  return Math.ceil(Math.min(roundTrip, MAX_ROUND_TRIP) + probes * 1_000 / PROBES_PER_SECOND + holdTime(roundTrip))
}

/**
 * Wait, and then read what has arrived meanwhile: an event loop that was busy runs its
 * timers before it reads from sockets
 *
 * @param ms - how long
 * @throws the signal's reason
 */
export async function waitAndRead (ms: number, { signal }: Required<AbortOptions>): Promise<void> {
  await delay(Math.ceil(ms), undefined, { signal, ref: false })
  await nextCheck(undefined, { signal })
}

/**
 * @param ms - when
 * @param message - why
 * @param options
 * @throws {HardPunchError} then
 * @throws the signal's reason
 */
export async function failAfter (ms: number, message: string, options: Required<AbortOptions>): Promise<never> {
  await waitAndRead(ms, options)

  throw new HardPunchError('not-met', message)
}
