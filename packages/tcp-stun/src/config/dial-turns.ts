import type { PeerId } from '@libp2p/interface'

/**
 * The peer that waits dials only if the other one has not connected by then, in ms: two
 * dials at once would make two relayed connections, and two hole punches
 */
const PARTNER_TIME = 1_500

/**
 * After a failed dial, in ms: doubled each time
 */
const MIN_RETRY = 5_000
const MAX_RETRY = 5 * 60_000

/**
 * Of two peers that find each other at the same moment, whether this one waits
 */
export function waitsForPartner (self: PeerId, partner: PeerId): boolean {
  return self.toString() > partner.toString()
}

/**
 * How long to wait before a dial, in ms
 *
 * @param failures - how many dials in a row have failed
 */
export function retryDelay (failures: number, waits: boolean, random = Math.random): number {
  const turn = waits ? PARTNER_TIME : 0

  if (failures === 0) {
    return turn
  }

  return turn + Math.min(MIN_RETRY * 2 ** (failures - 1), MAX_RETRY) * (0.5 + random() / 2)
}
