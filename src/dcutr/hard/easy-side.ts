import { checkOffer, checkPorts, checkStart } from './offer.ts'
import { drawPorts } from './ports.ts'
import { Probes } from './probes.ts'
import { failAfter, holdTime, timeToMeet } from './timing.ts'
import type { Met } from './hard-side.ts'
import type { Permit } from './limits.ts'
import type { Offer, Order } from './message-types.ts'
import type { Facts } from './offer.ts'
import type { Budget } from './plan.ts'
import type { Exchange } from './protocol.ts'
import type { Endpoint } from '../../address/endpoint.ts'
import type { ListeningPort } from '../../listen/listening-ports.ts'
import type { Random } from '../../runtime/random.ts'
import type { AbortOptions } from '@libp2p/interface'

export interface EasySideInit {
  exchange: Exchange

  random: Random

  /**
   * Which side goes first, if earlier punches have shown it
   */
  order?: Order

  facts: Facts

  /**
   * What the offer may cost
   */
  budgetFor(offer: Offer, options: Required<AbortOptions>): Promise<Budget>

  /**
   * Permission to begin
   *
   * @throws {HardPunchError} not now
   */
  take(host: string): Permit

  /**
   * Leave out endpoints that may not be dialled
   *
   * @throws {HardPunchError} none is left
   */
  allow(remotes: Endpoint[]): Promise<Endpoint[]>
}

/**
 * An offer that was accepted
 */
export interface Accepted {
  offer: Offer
  permit: Permit
  budget: Budget

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
  const { exchange, facts, order } = init
  const offer = await exchange.receive('offer', options)
  const { external: endpoint, local } = checkOffer(offer, facts)
  const permit = init.take(offer.host)

  try {
    const budget = await init.budgetFor(offer, options)
    checkPorts(offer.ranges, offer, budget)
    await exchange.send({ type: 'accept', endpoint, probes: Math.min(offer.probes, budget.probes), order }, options)

    return { offer, permit, budget, local }
  } catch (err) {
    permit.end(false)
    throw err
  }
}

/**
 * Punch as the side with one public address for all destinations. It sends probes from its
 * listening port to the ports that the hard side may have, and uses the first that meets a
 * connect. On that socket it is the initiator.
 *
 * @throws {HardPunchError} no probe met a connect
 */
export async function punchAsEasySide (
  init: EasySideInit,
  { offer, permit, budget, local }: Accepted,
  options: Required<AbortOptions>
): Promise<Met> {
  const { exchange, random } = init
  const start = await exchange.receive('start', options)
  checkStart(start, offer, budget)

  const count = Math.min(offer.probes, budget.probes)
  const remotes = await init.allow(drawPorts(start.ranges, count, random).map(port => ({ host: offer.host, port })))
  const hold = holdTime(start.roundTrip)
  const probes = new Probes({ local, host: offer.host, hold: start.order === 'hard-first' ? hold : undefined })
  permit.use(offer.host)

  const send = async (): Promise<never> => {
    await probes.send(remotes.map(({ port }) => port), options)

    if (start.order === 'easy-first') {
      await exchange.send({ type: 'probed' }, options)
    }

    return exchange.untilFailed(options)
  }
  // later the system would only repeat our SYNs
  const last = failAfter(timeToMeet(count, start.roundTrip), `No connect of ${offer.host} has met a probe`, options)

  try {
    const socket = await Promise.race([probes.first(options), send(), last])

    return { socket, remote: { host: offer.host, port: socket.remotePort ?? 0 }, initiator: true, order: start.order }
  } finally {
    probes.close()
  }
}
