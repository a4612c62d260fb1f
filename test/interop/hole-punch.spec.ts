import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { ALLOCATIONS } from '../nat-lab/index.ts'
import { network, startPublicPeer, STUN_SERVERS } from './network.ts'
import { punchRepeatedly } from './punch.ts'
import { report } from './report.ts'
import type { Language } from './peers.ts'

/**
 * How often: `RUNS=50 npm run test:interop`
 */
const RUNS = Number(process.env.RUNS ?? byExtent({ sample: 3, full: 10, report: 10 }))

/**
 * What most homes have. Ports are preserved, because rust announces its listening port
 * as the external one. Some latency, as there always is.
 */
const NAT = {
  latency: 10,
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: 'preserved'
} as const

/**
 * A dials B through the relay, and B starts the punch
 */
const PAIRS: Array<{ a: Language, b: Language, relay: Language, baseline?: boolean }> = [
  { a: 'go', b: 'go', relay: 'go', baseline: true },
  { a: 'rust', b: 'rust', relay: 'go', baseline: true },
  { a: 'js', b: 'js', relay: 'go' },
  { a: 'js', b: 'go', relay: 'go' },
  { a: 'go', b: 'js', relay: 'go' },
  { a: 'js', b: 'rust', relay: 'go' },
  { a: 'rust', b: 'js', relay: 'go' },
  { a: 'go', b: 'go', relay: 'js' }
]

describe('punching holes between all languages', function () {
  this.timeout(600_000)

  const { create } = network()

  for (const { a, b, relay: relayLanguage, baseline = false } of PAIRS) {
    // pairs without us are for comparison, and slow
    const runs = baseline ? Math.min(RUNS, byExtent({ sample: 1, full: 3, report: 3 })) : RUNS

    it(`${a} as A, ${b} as B, by a relay in ${relayLanguage}`, async () => {
      const { lab } = await create()
      const relay = await startPublicPeer(lab, 'relay', '11.0.0.8', relayLanguage, {
        relay: true,
        stunServers: STUN_SERVERS
      })
      const { succeeded, times, failures } = await punchRepeatedly(lab, relay, { a, b }, { a: NAT, b: NAT }, runs)

      report({
        scenario: 'hole punch',
        peers: `${a} (A), ${b} (B), ${relayLanguage} relay`,
        attempts: runs,
        succeeded,
        median: median(times),
        failures: [...new Set(failures)]
      })

      if (!baseline) {
        expect(succeeded / runs).to.be.at.least(0.9, failures.join('\n'))
      }
    })
  }

  for (const [a, b] of [['js', 'go'], ['go', 'js']] as const) {
    it(`${a} as A, ${b} as B, js behind an endpoint-dependent NAT, go behind one that filters by address`, async () => {
      const { lab } = await create()
      const relay = await startPublicPeer(lab, 'relay', '11.0.0.8', 'go', { relay: true })
      const nats = {
        js: { latency: NAT.latency, ports: ALLOCATIONS['all ports'] },
        go: { ...NAT, filtering: 'address-dependent' }
      } as const
      const { succeeded, times, failures } = await punchRepeatedly(
        lab, relay, { a, b }, { a: nats[a], b: nats[b] }, RUNS, { dcutr: 'ours' }
      )

      report({
        scenario: 'hole punch, js behind an endpoint-dependent NAT, go behind one that filters by address',
        peers: `${a} (A), ${b} (B), go relay`,
        attempts: RUNS,
        succeeded,
        median: median(times),
        failures: [...new Set(failures)]
      })
      expect(succeeded / RUNS).to.be.at.least(0.9, failures.join('\n'))
    })
  }
})

function median (values: number[]): number | undefined {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
}
