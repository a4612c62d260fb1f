import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { HELPER, runHelper } from '../nat/helper-network.ts'
import { network } from './network.ts'
import { punchRepeatedly } from './punch.ts'
import { report } from './report.ts'
import type { Language } from './peers.ts'

const RUNS = Number(process.env.RUNS ?? byExtent({ sample: 2, full: 10, report: 10 }))

/**
 * What most homes have
 */
const NAT = {
  latency: 10,
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  ports: 'preserved'
} as const

const PAIRS: Array<{ a: Language, b: Language }> = [{ a: 'go', b: 'go' }, { a: 'js', b: 'go' }, { a: 'go', b: 'js' }]

/**
 * Peers in other languages know the helper as a relay
 */
describe('peers in go at a helper', function () {
  this.timeout(300_000)

  const { create } = network(['go'])

  for (const { a, b } of PAIRS) {
    it(`${b} reserves a slot, ${a} dials it there, and they punch`, async () => {
      const { lab } = await create()
      const host = await lab.host('helper', { address: HELPER })
      const helper = await runHelper(host)

      try {
        const { attempts, succeeded, failures } = await punchRepeatedly(
          lab, { ...helper, host }, { a, b }, { a: NAT, b: NAT }, RUNS
        )
        report({
          scenario: 'hole punch by a helper',
          peers: `${a} (A), ${b} (B), tcp-stun helper`,
          attempts,
          succeeded,
          failures: [...new Set(failures)]
        })
        expect(succeeded, failures.join('\n')).to.equal(RUNS)
      } finally {
        helper.program.kill()
      }
    })
  }
})
