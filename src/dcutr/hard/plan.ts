import { chanceToMeet } from './chance.ts'
import { HardPunchError } from './errors.ts'
import { sizeOf } from './range.ts'
import type { PortPrediction } from './port-prediction.ts'
import type { PortRange } from './range.ts'

/**
 * The most packets that a hard punch may cost
 */
export interface Budget {
  /**
   * Probes of the easy side
   */
  probes: number

  /**
   * Connects of the hard side
   */
  connects: number
}

/**
 * About 4 kB from each side, less than DCUtR lets any peer cause
 */
export const DEFAULT_BUDGET: Budget = { probes: 64, connects: 64 }

/**
 * Enough for a NAT that draws from all ports: 98 %
 */
export const WIDE_BUDGET: Budget = { probes: 1_024, connects: 256 }

/**
 * A subscriber may have no more ports than the range that was learned, and the entries of
 * the connects stay in the NAT for up to 4 minutes (RFC 5382, REQ-5). So at most one of
 * this many ports is used.
 */
const PORTS_PER_CONNECT = 16

/**
 * Where the ports become known once the connects are made, each connect is met by a probe
 * of its own. A few more than one, because the system or the NAT may lose one.
 */
const KNOWN_CONNECTS = 4

/**
 * A punch that fails more often than it succeeds is not tried: it costs both routers
 * entries, and the partner one of its few punches
 */
const MIN_CHANCE = 0.5

/**
 * Where it is allowed, a wider punch is made when a narrow one would succeed less often
 */
const GOOD_CHANCE = 0.95

/**
 * How the hard side knows the external ports of its connects:
 *
 * - `local`: the NAT keeps the local port
 * - `bracket`: between the ports of two Bindings, made before and after
 * - `ranges`: somewhere in these ranges. If the NAT may count nevertheless, two Bindings
 * bracket the connects too: where it draws at random, the ports between are as good as others
 */
export type Ports =
  { source: 'local' } |
  { source: 'bracket', step: number } |
  { source: 'ranges', ranges: PortRange[], mayCount?: true }

export interface Plan {
  ports: Ports
  connects: number
  probes: number

  /**
   * Of success, from 0 to 1
   */
  chance: number
}

/**
 * What the hard side does, from how its NAT chooses ports
 *
 * @param prediction
 * @param budgets - the lowest first: the first that is likely to succeed is taken
 * @throws {HardPunchError} none would
 */
export function planPunch (prediction: PortPrediction, budgets: Budget[]): Plan {
  const plans = budgets.map(budget => planWithin(prediction, budget))
  const plan = plans.find(({ chance }) => chance >= GOOD_CHANCE) ?? plans.at(-1)

  if (plan == null || plan.chance < MIN_CHANCE) {
    throw new HardPunchError(
      'too-many-ports',
      `The chance would be ${Math.round((plan?.chance ?? 0) * 100)} % with ${plan?.connects} connects and ` +
        `${plan?.probes} probes`
    )
  }

  return plan
}

function planWithin (prediction: PortPrediction, budget: Budget): Plan {
  const known = Math.min(KNOWN_CONNECTS, budget.connects)

  switch (prediction.type) {
    case 'preserved':
      return { ports: { source: 'local' }, connects: known, probes: known, chance: 1 }
    case 'sequential':
      // the ports of other hosts' connections are between ours
      return { ports: { source: 'bracket', step: prediction.step }, connects: known, probes: budget.probes, chance: 1 }
    case 'block':
      return planRanges(prediction, prediction.ranges, budget, prediction.atMost)
    case 'wide':
      return planRanges(prediction, [prediction], budget)
    default:
      throw new HardPunchError('too-many-ports', `How the NAT chooses ports is not known: ${prediction.reason}`)
  }
}

/**
 * If the NAT draws from more ports than those that are probed, a probe of these is as good as
 * one of the others, but there have to be connects for all of them
 */
function planRanges (
  { mayCount }: { mayCount?: true },
  ranges: PortRange[],
  budget: Budget,
  size = sizeOf(ranges)
): Plan {
  const connects = Math.min(budget.connects, Math.floor(size / PORTS_PER_CONNECT))
  const probes = Math.min(budget.probes, sizeOf(ranges))

  return {
    ports: { source: 'ranges', ranges: ranges.map(({ from, to }) => ({ from, to })), ...(mayCount && { mayCount }) },
    connects,
    probes,
    chance: chanceToMeet(size, connects, probes)
  }
}

/**
 * The ports that a sequential NAT will give next
 */
export function portsAfter (before: number, step: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => before + (i + 1) * step)
    .filter(port => port >= 1_024 && port <= 65_535)
}
