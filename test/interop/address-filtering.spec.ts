import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { ALLOCATIONS } from '../nat-lab/index.ts'
import { report as document } from '../nat-lab/report/index.ts'
import { network, startPublicPeer } from './network.ts'
import { median, punchRepeatedly } from './punch.ts'
import { report } from './report.ts'
import type { Figure } from '../nat-lab/report/index.ts'

const RUNS = Number(process.env.RUNS ?? byExtent({ sample: 3, full: 10, report: 20 }))

/**
 * Between a home and the internet, in ms one way
 */
const LATENCY = 10

const NATS = {
  js: { latency: LATENCY, ports: ALLOCATIONS['all ports'] },
  go: {
    latency: LATENCY,
    mapping: 'endpoint-independent',
    filtering: 'address-dependent',
    ports: 'preserved'
  }
} as const

const SCENARIO = 'hole punch, js behind an endpoint-dependent NAT, go behind one that filters by address'

describe('js behind an endpoint-dependent NAT', function () {
  this.timeout(600_000)

  const { create } = network(['go'])
  const figures: Figure[] = []

  after(async () => { await document.figures('hole-punching.md', 'endpoint-dependent-go', figures) })

  for (const { a, b, title } of [
    { a: 'js', b: 'go', title: 'hard dials a go peer that filters by address' },
    { a: 'go', b: 'js', title: 'a go peer that filters by address dials hard' }
  ] as const) {
    it(title, async () => {
      const { lab } = await create()
      const relay = await startPublicPeer(lab, 'relay', '11.0.0.8', 'go', { relay: true })
      const { attempts, succeeded, times, failures } = await punchRepeatedly(
        lab, relay, { a, b }, { a: NATS[a], b: NATS[b] }, RUNS, { both: { dcutr: 'ours' } }
      )

      report({
        scenario: SCENARIO,
        peers: `${a} (A), ${b} (B), go relay`,
        attempts,
        succeeded,
        median: median(times),
        failures: [...new Set(failures)]
      })
      figures.push({
        title,
        value: `${succeeded} of ${RUNS}, median ${Math.round(median(times) ?? NaN)} ms`,
        target: '20 of 20',
        reached: succeeded === RUNS
      })
      expect(succeeded / RUNS).to.be.at.least(0.9, failures.join('\n'))
    })
  }
})
