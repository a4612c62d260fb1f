import { checkOffer, checkStart } from './offer.ts'
import { drawPorts } from './ports.ts'
import { Probes } from './probes.ts'
import type { Met } from './hard-side.ts'
import type { Permit } from './limits.ts'
import type { Offer } from './message-types.ts'
import type { Facts } from './offer.ts'
import type { Exchange } from './protocol.ts'
import type { Endpoint } from '../../address/endpoint.ts'
import type { ListeningPort } from '../../listen/listening-ports.ts'
import type { Random } from '../../runtime/random.ts'
import type { AbortOptions } from '@libp2p/interface'

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

export interface EasySideInit {
  exchange: Exchange

  facts: Facts

  random: Random

  /**
   * Permission to begin
   *
   * @throws {HardPunchError} not now
   */
  take(host: string): Permit

  /**
   * Leave out what may not be dialled
   *
   * @throws {HardPunchError} that are all
   */
  allow(remotes: Endpoint[]): Promise<Endpoint[]>
}

/**
 * An offer that was accepted
 */
export interface Accepted {
  offer: Offer
  permit: Permit

  /**
   * The port that probes leave from
   */
  local: ListeningPort
}

/**
 * Read an offer and accept it
 *
 * @throws {HardPunchError} it was refused, and the peer was told so
 */
export async function acceptOffer (init: EasySideInit, options: Required<AbortOptions>): Promise<Accepted> {
  const { exchange, facts } = init
  const offer = await exchange.receive('offer', options)
  let permit: Permit | undefined

  try {
    const { external: endpoint, local } = checkOffer(offer, facts)
    permit = init.take(offer.host)
    await exchange.send({
      type: 'accept',
      endpoint,
      probes: Math.min(offer.probes, facts.budget.probes)
    }, options)

    return { offer, permit, local }
  } catch (err) {
    permit?.end(false)
    throw err
  }
}

/**
 * The side with one public address for all destinations. It sends probes from its
 * listening port to the ports that the hard side may have, and takes the first that meets
 * a connect: there it is the initiator.
 *
 * @throws {HardPunchError} none did
 */
export async function punchAsEasySide (
  init: EasySideInit,
  { offer, permit, local }: Accepted,
  options: Required<AbortOptions>
): Promise<Met> {
  const { exchange, facts, random } = init
  const start = await exchange.receive('start', options)
  checkStart(start, offer, facts.budget)

  const count = Math.min(offer.probes, facts.budget.probes)
  const remotes = await init.allow(drawPorts(start.ranges, count, random).map(port => ({ host: offer.host, port })))
  const hold = Math.max(MIN_HOLD, HOLD_ROUND_TRIPS * Math.min(start.roundTrip, MAX_ROUND_TRIP))
  const probes = new Probes({ local, host: offer.host, hold: start.order === 'hard-first' ? hold : undefined })
  permit.use(offer.host)

  const send = async (): Promise<never> => {
    await probes.send(remotes.map(({ port }) => port), options)

    if (start.order === 'easy-first') {
      await exchange.send({ type: 'probed' }, options)
    }

    return exchange.untilFailed(options)
  }

  try {
    const socket = await Promise.race([probes.first(options), send()])

    return { socket, remote: { host: offer.host, port: socket.remotePort ?? 0 }, initiator: true }
  } finally {
    probes.close()
  }
}
