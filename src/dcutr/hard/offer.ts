import { isGlobal } from '../../address/scope.ts'
import { chanceToMeet } from './chance.ts'
import { HardPunchError } from './errors.ts'
import { WIDE_BUDGET } from './plan.ts'
import { refuseRanges } from './ports.ts'
import { sizeOf } from './range.ts'
import type { Offer, Start } from './message-types.ts'
import type { EasyOwnSide, OwnSide } from './own-side.ts'
import type { Budget } from './plan.ts'

/**
 * What is known of the addresses that may not be sent to
 */
export interface KnownHosts {
  /**
   * The public IPv4 addresses that the peer has announced by other ways
   */
  announced: string[]

  /**
   * The address of the relay, if it is numeric
   */
  relay?: string
}

/**
 * What the easy side knows when an offer arrives
 */
export interface Facts extends KnownHosts {
  /**
   * Our own mapping, if it is known
   */
  own?: OwnSide
}

/**
 * A probe may find a port within ranges that the offer has not named yet. Where it was
 * hardly possible, none is sent.
 */
const MIN_CHANCE = 0.3

/**
 * Check an offer of the hard side, but for its ports
 *
 * @returns our own side, whose endpoint the peer needs
 * @throws {HardPunchError} it is refused, with the reason
 */
export function checkOffer (offer: Offer, { own, ...known }: Facts): EasyOwnSide {
  const { host, connects, probes } = offer

  if (own == null) {
    throw new HardPunchError('no-address', 'This node knows no public IPv4 address of its own')
  }

  if (own.side === 'hard') {
    throw new HardPunchError('both-hard', 'The mapping of this node depends on the destination too')
  }

  checkHost(host, own, known)

  // they cost the peer more than us
  if (connects < 1 || connects > WIDE_BUDGET.connects || probes < 1) {
    throw new HardPunchError(
      'bad-ports',
      `There must be 1 to ${WIDE_BUDGET.connects} connects and a probe, not ${connects} and ${probes}`
    )
  }

  return own
}

/**
 * Check an address that a peer says is its own, as either side
 *
 * @throws {HardPunchError} packets are not sent there, with the reason
 */
export function checkHost (
  host: string,
  own: Pick<OwnSide, 'servers'> & { external: { host: string } },
  { announced, relay }: KnownHosts
): void {
  if (!isGlobal(host)) {
    throw new HardPunchError('bad-address', `${host} is no public address`)
  }

  if (host === own.external.host) {
    throw new HardPunchError('same-address', `Both peers have the public address ${host}`)
  }

  // our packets could make such a host refuse the connections that we need
  if (host === relay || own.servers.includes(host)) {
    throw new HardPunchError('foreign-address', `${host} is the address of the relay or of a STUN server`)
  }

  if (announced.length > 0 && !announced.includes(host)) {
    throw new HardPunchError('foreign-address', `The peer has announced ${announced.join(' and ')}, not ${host}`)
  }
}

/**
 * Check where the probes are to go. The ranges may be empty in an offer, but not here.
 *
 * @throws {HardPunchError} there would be no probe, or hardly a chance
 */
export function checkStart ({ ranges }: Start, offer: Offer, budget: Budget): void {
  if (ranges.length === 0) {
    throw new HardPunchError('bad-ports', 'There is no port to probe')
  }

  checkPorts(ranges, offer, budget)
}

/**
 * Check ports of the hard side, of an offer or a start
 *
 * @throws {HardPunchError} they make no sense, or there is hardly a chance
 */
export function checkPorts (ranges: Offer['ranges'], offer: Offer, budget: Budget): void {
  const refusal = refuseRanges(ranges)

  if (refusal != null) {
    throw new HardPunchError('bad-ports', refusal)
  }

  const chance = chanceToMeet(sizeOf(ranges), offer.connects, Math.min(offer.probes, budget.probes))

  if (ranges.length > 0 && chance < MIN_CHANCE) {
    throw new HardPunchError(
      'too-many-ports',
      `${budget.probes} probes would hardly meet one of ${offer.connects} connects in ${sizeOf(ranges)} ports`
    )
  }
}
