import { expect } from 'aegir/chai'
import { byExtent, runTimes } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { ALLOCATIONS } from '../nat-lab/index.ts'
import { report } from '../nat-lab/report/index.ts'
import { ALL_ATTEMPTS, isConnected, meet, punch, setUp } from './homes.ts'
import type { Pair, Side } from './homes.ts'
import type { Figure } from '../nat-lab/report/index.ts'

/**
 * Behind a NAT that draws another port for each connection, with our DCUtR service
 */
const HARD: Side = { nat: { ports: ALLOCATIONS['all ports'] }, options: { dcutr: 'ours' } }

/**
 * The same, with a service that tells the partner nothing of such a NAT
 */
const HARD_AND_SILENT: Side = { ...HARD, options: { dcutr: 'stock' } }

/**
 * Behind a router that filters by address alone, with `@libp2p/dcutr`
 */
const EASY: Side = { nat: { filtering: 'address-dependent' }, options: { dcutr: 'stock', announce: 'always' } }
const EASY_WITH_OURS: Side = { ...EASY, options: { dcutr: 'ours', announce: 'never' } }

/**
 * Strangers can dial it
 */
const OPEN: Side = { nat: { filtering: 'endpoint-independent' }, options: { dcutr: 'ours' } }
const OPEN_AND_STOCK: Side = { ...OPEN, options: { dcutr: 'stock' } }

const LATENCY = 20

const REACHED: Record<string, Omit<Pair, 'latency'>> = {
  'hard dials a peer that filters by address, with @libp2p/dcutr': { a: HARD, b: EASY },
  'a peer that filters by address, with @libp2p/dcutr, dials hard': { a: EASY, b: HARD },
  'hard dials a peer that filters by address': { a: HARD, b: EASY_WITH_OURS },
  'a peer that filters by address dials hard': { a: EASY_WITH_OURS, b: HARD },
  'hard dials an open peer': { a: HARD, b: OPEN },
  'an open peer dials hard': { a: OPEN, b: HARD },
  'hard dials an open peer with @libp2p/dcutr': { a: HARD, b: OPEN_AND_STOCK },
  'an open peer with @libp2p/dcutr dials hard': { a: OPEN_AND_STOCK, b: HARD }
}

describe('a peer behind an endpoint-dependent NAT', function () {
  this.timeout(2_000_000)

  const { create } = laboratory('each')
  const figures: Figure[] = []
  const times = Number(process.env.RUNS ?? byExtent({ sample: 1, full: 5, report: 20 }))

  after(async () => { await report.figures('hole-punching.md', 'endpoint-dependent', figures) })

  for (const [title, pair] of Object.entries(REACHED)) {
    it(`${title}: ${times} times`, async () => {
      const homes = await setUp(await create(), { ...pair, latency: LATENCY })
      const durations: number[] = []
      const failures: string[] = []

      await runTimes(times, async () => {
        try {
          durations.push(await punch(homes, { ...pair, latency: LATENCY }))
          return true
        } catch (err: any) {
          failures.push(err.message.slice(0, 200))
          return false
        }
      })

      const median = durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)]
      process.stdout.write(`      ${durations.map(Math.round).join(' ')} ms\n${failures.join('\n')}`)
      figures.push({
        title,
        value: `${durations.length} of ${times}, median ${Math.round(median)} ms`,
        target: `${times} of ${times}`,
        reached: durations.length === times
      })
      expect(durations.length, failures.join('\n')).to.equal(times)
    })
  }

  it('without the address of the NAT in CONNECT it stays relayed, and the data flows', async () => {
    const pair = { a: HARD_AND_SILENT, b: EASY, latency: LATENCY }
    const homes = await setUp(await create(), pair)

    for (let i = 0; i < byExtent({ sample: 1, full: 2, report: 4 }); i++) {
      const { a, b, bId } = await meet(homes, pair)
      await expect(a.happened(isConnected(bId, false), ALL_ATTEMPTS)).to.eventually.be.rejected()
      expect(await a.ask('echo', { address: `/p2p/${bId}`, bytes: 10_000 }, 'echoed')).to.include({ equal: true })
      await Promise.all([a.stop(), b.stop()])
    }
  })

  it('tells nobody but a partner the address', async () => {
    const pair = { a: HARD, b: EASY, latency: 0 }
    const homes = await setUp(await create(), pair)
    const { a, b, aId, bId } = await meet(homes, pair)
    await a.happened(isConnected(bId, false), ALL_ATTEMPTS)
    const identified = [homes.relay, b].map(program => program.events
      .filter(({ event, peer }) => event === 'identified' && peer === aId)
      .flatMap(({ addresses }) => addresses))

    const { addresses } = await a.ask('addresses')

    expect([...identified.flat(), ...addresses].filter(address => address.includes('/ip4/11.1.0.1/'))).to.be.empty()
    await Promise.all([a.stop(), b.stop()])
  })
})
