import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { network, startPublicPeer, STUN_SERVERS } from './network.ts'
import { median, punchRepeatedly } from './punch.ts'
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
 * What must not happen even once
 */
const ANNOUNCES = 'B announces its address'

interface Pair {
  a: Language
  b: Language
  relay: Language

  /**
   * Without us, for comparison
   */
  baseline?: boolean
}

const RELAYS: Language[] = ['go', 'rust', 'js']

/**
 * A dials B through the relay, and B starts the punch
 */
const OURS: Array<Omit<Pair, 'relay'>> = [
  { a: 'js', b: 'js' },
  { a: 'js', b: 'go' },
  { a: 'go', b: 'js' },
  { a: 'js', b: 'rust' },
  { a: 'rust', b: 'js' }
]

/**
 * A sample has one relay for each pair, and each relay at least once
 */
const PAIRS: Pair[] = [
  { a: 'go', b: 'go', relay: 'go', baseline: true },
  { a: 'rust', b: 'rust', relay: 'go', baseline: true },
  { a: 'go', b: 'go', relay: 'js', baseline: true },
  ...OURS.flatMap((pair, i) => {
    const relays = byExtent({ sample: [RELAYS[i % RELAYS.length]], full: RELAYS, report: RELAYS })

    return relays.map(relay => ({ ...pair, relay }))
  })
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
      const { attempts, succeeded, times, failures } = await punchRepeatedly(
        lab, relay, { a, b }, { a: NAT, b: NAT }, runs
      )

      report({
        scenario: 'hole punch',
        peers: `${a} (A), ${b} (B), ${relayLanguage} relay`,
        attempts,
        succeeded,
        median: median(times),
        failures: [...new Set(failures)]
      })

      if (!baseline) {
        expect(succeeded / runs).to.be.at.least(0.9, failures.join('\n'))
      }
    })
  }

  for (const a of ['go', 'rust'] as const) {
    for (const filtering of ['address-dependent', 'address-and-port-dependent'] as const) {
      it(`${a} as A, js as B that asks AutoNAT: ${filtering} filtering, nothing is announced`, async () => {
        const { lab } = await create()
        const relay = await startPublicPeer(lab, 'relay', '11.0.0.8', 'go', { relay: true })
        const runs = byExtent({ sample: 1, full: 3, report: 3 })
        const nats = { a: NAT, b: { ...NAT, filtering } }
        const { succeeded, failures } = await punchRepeatedly(lab, relay, { a, b: 'js' }, nats, runs, {
          b: { autonat: true, dht: true, announce: 'dialable' },
          onPunched: async b => {
            const { addresses, dht } = await b.ask('addresses')

            if (dht !== 'client' || addresses.some((address: string) => address.startsWith('/ip4/11.2.0.1/'))) {
              throw new Error(`${ANNOUNCES}, as a DHT ${dht}: ${addresses.join(' ')}`)
            }
          }
        })

        expect(failures.filter(failure => failure.includes(ANNOUNCES))).to.deep.equal([])
        expect(succeeded, failures.join('\n')).to.equal(runs)
      })
    }
  }
})
