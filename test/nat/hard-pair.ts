/**
 * Two peers of which one is behind an endpoint-dependent NAT
 */
import { expect } from 'aegir/chai'
import { countSYNs } from '../nat-lab/index.ts'
import { isConnected, meet } from './homes.ts'
import type { Homes, Side } from './homes.ts'
import type { NATOptions, Program, ProgramEvent } from '../nat-lab/index.ts'

/**
 * One way, in ms
 */
export const LATENCY = 20

/**
 * After the first attempt, an ordinary punch cannot succeed here
 */
export const ONE_ATTEMPT = { retries: 1 }

/**
 * How long the ordinary attempt takes to fail, with a margin, in ms
 */
export const ATTEMPT = 15_000

/**
 * Of the connects or probes of one side: SYNs to the other home
 */
export const BUDGET = 64
export const WIDE_BUDGET = { connects: 256, probes: 1_024 }

/**
 * An ordinary punch sends SYNs beside them: its attempt, with the system's repetitions and
 * the dials after a reset
 */
export const ORDINARY = 16

/**
 * Behind a NAT that draws another port for each connection
 */
export const hard = (nat: Side['nat']): Side => ({ nat, options: { dcutr: 'ours', dcutrInit: ONE_ATTEMPT } })

/**
 * Behind a router that admits only whom its port has contacted
 */
export const easy = (nat: NATOptions = {}): Side => ({
  nat: { filtering: 'address-and-port-dependent', ...nat },
  options: { dcutr: 'ours', announce: 'never', dcutrInit: ONE_ATTEMPT }
})

/**
 * With further options of the node
 */
export function withOptions (side: Side, options: Side['options']): Side {
  const dcutrInit = { ...side.options?.dcutrInit, ...options?.dcutrInit }

  return { ...side, options: { ...side.options, ...options, dcutrInit } }
}

/**
 * Two nodes that have a relayed connection soon
 */
export interface HardPair {
  hard: Program
  easy: Program
  hardId: string
  easyId: string

  /**
   * The SYNs of each to the other home so far
   */
  count(): Promise<{ hard: number, easy: number }>

  stop(): Promise<void>
}

/**
 * Start both nodes. The home of the hard side is A.
 *
 * @param homes
 * @param sides
 * @param dialler - which of them dials the other one
 */
export async function startPair (
  homes: Homes,
  sides: Record<'hard' | 'easy', Side>,
  dialler: 'hard' | 'easy'
): Promise<HardPair> {
  const [hardAddress, easyAddress] = [homes.a, homes.b].map(({ routers }) => routers[0].address)
  const counts = await Promise.all([
    countSYNs(homes.a.laptop, { peer: easyAddress }, { repeated: false }),
    countSYNs(homes.b.laptop, { peer: hardAddress }, { repeated: false })
  ])
  // `meet` has A dial B
  const { a, b, aId, bId } = dialler === 'hard'
    ? await meet(homes, { a: sides.hard, b: sides.easy })
    : await meet({ ...homes, a: homes.b, b: homes.a }, { a: sides.easy, b: sides.hard })
  const nodes = dialler === 'hard'
    ? { hard: a, easy: b, hardId: aId, easyId: bId }
    : { hard: b, easy: a, hardId: bId, easyId: aId }

  return {
    ...nodes,
    count: async () => {
      const [hard, easy] = await Promise.all(counts.map(async count => (await count()).peer))

      return { hard, easy }
    },
    stop: async () => { await Promise.all([a.stop(), b.stop()]) }
  }
}

/**
 * What both sides report of an upgrade
 */
export async function bothReport (
  { hard, easy }: Pick<HardPair, 'hard' | 'easy'>,
  name: string
): Promise<ProgramEvent[]> {
  return Promise.all([hard, easy].map(async node => node.happened(({ event }) => event === name, ATTEMPT)))
}

/**
 * The relayed connection is the only one, and carries data: less than a relay's limit
 */
export async function expectRelayed ({ hard, easyId }: Pick<HardPair, 'hard' | 'easyId'>): Promise<void> {
  const echoed = await hard.ask('echo', { address: `/p2p/${easyId}`, bytes: 10_000 }, 'echoed')

  expect(echoed).to.deep.include({ equal: true, bytes: 10_000 })
  expect(hard.events.some(isConnected(easyId, false))).to.equal(false)
}

/**
 * There is a direct connection, which carries data: so many bytes as a relay does not
 */
export async function expectDirect ({ hard, easyId }: Pick<HardPair, 'hard' | 'easyId'>, bytes: number): Promise<void> {
  const echoed = await hard.ask('echo', { address: `/p2p/${easyId}`, bytes }, 'echoed')

  expect(echoed).to.deep.include({ equal: true, bytes })
  expect(hard.events.some(isConnected(easyId, false))).to.equal(true)
}
