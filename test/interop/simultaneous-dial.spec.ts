import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { dialEachOther } from '../nat-lab/dial-each-other.ts'
import { network } from './network.ts'
import { startPeer } from './peers.ts'
import { report } from './report.ts'
import type { Language, PeerOptions } from './peers.ts'
import type { StartedPeer } from '../nat-lab/dial-each-other.ts'
import type { Host } from '../nat-lab/index.ts'

/**
 * How often: `RUNS=50 npm run test:interop`
 */
const RUNS = Number(process.env.RUNS ?? byExtent({ sample: 2, full: 10, report: 50 }))

/**
 * go-libp2p and rust-libp2p dial from their listening port too, and do not dial again
 * when their dial and ours make one connection (simultaneous open)
 */
describe('a peer of another language that dials us when we dial it', function () {
  this.timeout(600_000)

  const { create } = network()

  for (const language of ['go', 'rust'] as const) {
    for (const latency of [0, 1, 20, 100]) {
      it(`js and ${language}, ${latency} ms one way: both dials succeed, ${RUNS} times`, async () => {
        const { lab } = await create()
        const us = await lab.host('us', { address: '11.0.0.11', latency: latency / 2 })
        const them = await lab.host('them', { address: '11.0.0.12', latency: latency / 2 })
        const failures: string[] = []

        for (let i = 0; i < RUNS; i++) {
          const peers = await Promise.all([
            start(us, 'js', 4001 + i, { stunServers: [] }),
            start(them, language, 4001 + i)
          ])
          failures.push(...await dialEachOther(...peers))
          await Promise.all(peers.map(async ({ program }) => program.stop()))
        }

        report({
          scenario: `dial each other at once, ${latency} ms one way`,
          peers: `js and ${language}`,
          attempts: 2 * RUNS,
          succeeded: 2 * RUNS - failures.length,
          failures: [...new Set(failures)]
        })
        expect(failures, `${failures.length} of ${2 * RUNS} dials failed`).to.be.empty()
      })
    }
  }
})

/**
 * The ports of the run before may be in TIME_WAIT
 */
async function start (host: Host, language: Language, port: number, options: PeerOptions = {}): Promise<StartedPeer> {
  const program = startPeer(host, language, { listen: [`/ip4/0.0.0.0/tcp/${port}`], ...options })
  const { id } = await program.waitFor('started')

  return { program, id, address: `/ip4/${host.address}/tcp/${port}` }
}
