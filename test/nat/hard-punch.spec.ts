import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { ALLOCATIONS, countSYNs } from '../nat-lab/index.ts'
import { isConnected, meet, punch, setUp } from './homes.ts'
import type { Pair, Side } from './homes.ts'

/**
 * Behind a NAT that draws another port for each connection
 */
const hard = (ports: keyof typeof ALLOCATIONS): Side => ({
  nat: { ports: ALLOCATIONS[ports] },
  options: { dcutr: 'ours' }
})

/**
 * Behind a router that admits only whom its port has contacted: an ordinary punch cannot
 * succeed
 */
const EASY: Side = { nat: { filtering: 'address-and-port-dependent' }, options: { dcutr: 'ours', announce: 'never' } }

const LATENCY = 20

/**
 * A relay carries so much
 */
const BYTES = 10_000

/**
 * Of the connects or probes of one side: SYNs to the other home
 */
const BUDGET = 64

/**
 * An ordinary punch sends SYNs beside them: five attempts and their repetitions
 */
const ORDINARY = 16

describe('hard punch', function () {
  this.timeout(600_000)

  const { create } = laboratory('each')
  const times = Number(process.env.RUNS ?? byExtent({ sample: 2, full: 5, report: 20 }))

  for (const ports of ['steps of 1', 'block of 512'] as const) {
    for (const who of ['a', 'b'] as const) {
      const role = who === 'a' ? 'the peer that dials' : 'the peer that is dialled'

      it(`${role} has a NAT with ${ports}: ${times} times`, async () => {
        const pair: Pair = { a: EASY, b: EASY, [who]: hard(ports), latency: LATENCY }
        const homes = await setUp(await create(), pair)
        const durations: number[] = []

        for (let i = 0; i < times; i++) {
          durations.push(await punch(homes, pair))
        }

        process.stdout.write(`      ${durations.map(Math.round).join(' ')} ms\n`)
        expect(durations).to.have.lengthOf(times)
      })
    }
  }

  it('is the method, and costs each home no more SYNs than its budget', async () => {
    const pair: Pair = { a: EASY, b: hard('block of 512'), latency: LATENCY }
    const homes = await setUp(await create(), pair)
    const { a, b, aId, bId } = await meet(homes, pair)
    const counts = await Promise.all([
      countSYNs(homes.a.laptop, { peer: '11.2.0.1' }),
      countSYNs(homes.b.laptop, { peer: '11.1.0.1' })
    ])
    const [{ method }] = await Promise.all([
      a.happened(({ event }) => event === 'hole-punch:success'),
      a.happened(isConnected(bId, false)),
      b.happened(isConnected(aId, false))
    ])

    expect(method).to.equal('hard')

    for (const count of counts) {
      expect((await count()).peer).to.be.within(1, BUDGET + ORDINARY)
    }

    await Promise.all([a.stop(), b.stop()])
  })

  it('where both NATs are endpoint-dependent it does not begin, and the data flows by the relay', async () => {
    const pair: Pair = { a: hard('block of 512'), b: hard('block of 512'), latency: LATENCY }
    await staysRelayed(pair)
  })

  it('with hardPunch: false on one side it does not begin, and the data flows by the relay', async () => {
    const without: Side = { ...EASY, options: { ...EASY.options, dcutrInit: { hardPunch: false } } }
    await staysRelayed({ a: without, b: hard('steps of 1'), latency: LATENCY })
  })

  /**
   * The ordinary punch fails, and the hard one does not begin
   */
  async function staysRelayed (pair: Pair): Promise<void> {
    const attempts = { retries: 1 }
    const withOneAttempt = (side: Side): Side => ({
      ...side,
      options: { ...side.options, dcutrInit: { ...attempts, ...side.options?.dcutrInit } }
    })
    const sides = { ...pair, a: withOneAttempt(pair.a), b: withOneAttempt(pair.b) }
    const homes = await setUp(await create(), sides)
    const { a, b, bId } = await meet(homes, sides)
    const count = await countSYNs(homes.b.laptop, { peer: '11.1.0.1' })
    await b.happened(({ event }) => event === 'hole-punch:failure')
    const echoed = await a.ask('echo', { address: `/p2p/${bId}`, bytes: BYTES }, 'echoed')

    expect(echoed).to.deep.include({ equal: true, bytes: BYTES })
    expect((await count()).peer).to.be.at.most(ORDINARY)
    expect(a.events.some(isConnected(bId, false))).to.equal(false)
    await Promise.all([a.stop(), b.stop()])
  }
})
