import { Connects } from './connects.ts'
import { makeConnects } from './make-connects.ts'
import { planPunch } from './plan.ts'
import { predictPorts } from './port-prediction.ts'
import { failAfter, holdTime, timeToMeet } from './timing.ts'
import type { Accept, Offer, Order } from './message-types.ts'
import type { Budget, Plan } from './plan.ts'
import type { Exchange } from './protocol.ts'
import type { Endpoint } from '../../address/endpoint.ts'
import type { PublicMapping } from '../../mapping/mapping.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Socket } from 'node:net'

type Signal = Required<AbortOptions>

/**
 * A router's reset comes within the round trip of the direct path, which is hardly longer
 * than that through the relay. Wait this many of the latter, within these bounds in ms.
 */
const TEST_ROUND_TRIPS = 2
const MIN_TEST_TIME = 100
const MAX_TEST_TIME = 1_000

/**
 * With fewer samples a range is not known well, so STUN servers that may be asked now give
 * more
 */
const GOOD_SAMPLES = 8
const MAX_BINDINGS = 4

export interface HardSideInit {
  exchange: Exchange

  /**
   * How our NAT maps: the known samples, and further Bindings
   */
  mapping: Pick<PublicMapping, 'samples' | 'bindOnce'>

  /**
   * What the punch may cost, the cheapest first. The first that makes success likely is
   * used.
   */
  budgets: Budget[]

  /**
   * Called before the first packet to the easy side
   *
   * @throws {HardPunchError} it may not be dialled, or not as often as is planned
   */
  allow(remote: Endpoint, plan: Plan, options: Signal): Promise<void>

  /**
   * Called before the easy side learns where to send probes. From then on a probe may meet
   * any of our dials to it.
   */
  onStart(): void
}

/**
 * A socket that is connected to the other side, and whether we speak first on it
 */
export interface Met {
  socket: Socket
  remote: Endpoint
  initiator: boolean

  /**
   * Which side went first
   */
  order?: Order
}

/**
 * An offer that the easy side has accepted
 */
export interface Agreed {
  plan: Plan
  accept: Accept

  /**
   * In ms
   */
  roundTrip: number
}

/**
 * An offer that has not been sent yet
 */
export interface Prepared {
  offer: Offer
  plan: Plan
}

/**
 * Decide what to offer, from how the NAT has mapped lately
 *
 * @throws {HardPunchError} the punch would hardly succeed
 */
export async function prepareOffer (
  { mapping, budgets }: Pick<HardSideInit, 'mapping' | 'budgets'>,
  { signal }: Signal
): Promise<Prepared> {
  let prediction = predictPorts(mapping.samples)

  if (prediction.type !== 'sequential' && prediction.type !== 'preserved' && mapping.samples.length < GOOD_SAMPLES) {
    // at once, to all servers that may be asked
    await Promise.allSettled(Array.from({ length: MAX_BINDINGS }, async () => mapping.bindOnce({ signal })))
    signal.throwIfAborted()
    prediction = predictPorts(mapping.samples)
  }

  const plan = planPunch(prediction, budgets)
  const { connects, probes, ports } = plan

  return {
    plan,
    offer: {
      type: 'offer',
      host: mapping.samples.at(-1)?.externalHost ?? '',
      ranges: ports.source === 'ranges' ? ports.ranges : [],
      connects,
      probes
    }
  }
}

/**
 * Offer a punch
 *
 * @throws {HardPunchError} the peer refuses
 */
export async function makeOffer (exchange: Exchange, { offer, plan }: Prepared, options: Signal): Promise<Agreed> {
  const sent = performance.now()
  await exchange.send(offer, options)
  const accept = await exchange.receive('accept', options)

  // the peer cannot make us wait for more probes than we want
  const probes = Math.min(accept.probes, plan.probes)

  return { plan, accept: { ...accept, probes }, roundTrip: performance.now() - sent }
}

/**
 * Punch as the side whose mapping depends on the destination. It connects from fresh ports
 * to the listening port of the easy side, and tells it where to send probes.
 *
 * If the router of the easy side drops its SYNs, it goes first, so that its mappings exist
 * when the probes arrive. If that router resets them, the easy side goes first.
 *
 * @throws {HardPunchError} it did not succeed, with the reason
 */
export async function punchAsHardSide (
  init: HardSideInit,
  { plan, accept, roundTrip }: Agreed,
  options: Signal
): Promise<Met> {
  const { exchange } = init
  await init.allow(accept.endpoint, plan, options)

  const connects = new Connects(accept.endpoint)

  try {
    const order = await findOrder(accept, connects, roundTrip, options)

    if (order == null) {
      return { socket: connects.tested(), remote: accept.endpoint, initiator: true }
    }

    const ranges = await makeConnects(init, plan, connects, { probes: accept.probes, order }, options)
    init.onStart()
    await exchange.send({ type: 'start', order, ranges, roundTrip }, options)

    if (order === 'easy-first') {
      await exchange.receive('probed', options)
      connects.connect()
    }

    const timeout = order === 'easy-first' ? holdTime(roundTrip) : timeToMeet(accept.probes, roundTrip)
    const socket = await Promise.race([
      connects.chosen(options),
      exchange.untilFailed(options),
      failAfter(timeout, `None of ${connects.count} connects to ${accept.endpoint.host} was answered`, options)
    ])

    return { socket, remote: accept.endpoint, initiator: false }
  } finally {
    connects.close()
  }
}

/**
 * Which side goes first. If the easy side does not know how its router treats strangers, a
 * first connect shows it.
 *
 * @returns nothing if that connect succeeds: the easy side admits strangers
 */
async function findOrder (
  { order }: Accept,
  connects: Connects,
  roundTrip: number,
  options: Signal
): Promise<Order | undefined> {
  if (order != null) {
    return order
  }

  const timeout = Math.min(Math.max(TEST_ROUND_TRIPS * roundTrip, MIN_TEST_TIME), MAX_TEST_TIME)

  switch (await connects.test(timeout, options)) {
    case 'connected': return
    case 'reset': return 'easy-first'
    default: return 'hard-first'
  }
}
