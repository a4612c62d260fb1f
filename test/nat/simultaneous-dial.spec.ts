import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import type { Host, Program } from '../nat-lab/index.ts'

/**
 * `RUNS=50 npm run test:nat`
 */
const RUNS = Number(process.env.RUNS ?? byExtent({ sample: 3, full: 10, report: 50 }))

const BYTES = 10_000

/**
 * Two peers without a NAT dial each other's listening port from their own within one
 * one-way delay: TCP makes one connection of both dials (simultaneous open), and both
 * sides are its initiator
 */
describe('two peers that dial each other at the same time', function () {
  this.timeout(600_000)

  const { create } = laboratory('each')

  for (const latency of [0, 1, 20, 100]) {
    it(`both connect, ${latency} ms one way: ${RUNS} times`, async () => {
      const lab = await create()
      const a = await lab.host('a', { address: '11.0.0.1', latency: latency / 2 })
      const b = await lab.host('b', { address: '11.0.0.2', latency: latency / 2 })
      const failures: string[] = []

      for (let i = 0; i < RUNS; i++) {
        // the ports of the run before may be in TIME_WAIT
        failures.push(...await dialEachOther(a, b, 4001 + i))
      }

      expect(failures, `${failures.length} of ${2 * RUNS} dials failed`).to.be.empty()
    })
  }
})

/**
 * @returns why dials have failed
 */
async function dialEachOther (a: Host, b: Host, port: number): Promise<string[]> {
  const [first, second] = [a, b].map(host =>
    host.run('node', { listen: [`/ip4/0.0.0.0/tcp/${port}`], stunServers: [] })
  )
  const [{ id: firstId }, { id: secondId }] = await Promise.all([first.waitFor('started'), second.waitFor('started')])
  const dial = async (program: Program, host: Host, id: string): Promise<void> => {
    await program.ask('dial', { address: `/ip4/${host.address}/tcp/${port}/p2p/${id}` }, 'dialled')
    const echoed = await program.ask('echo', { address: `/p2p/${id}`, bytes: BYTES }, 'echoed')

    if (echoed.equal !== true) {
      throw new Error(`The connection did not carry all data: ${JSON.stringify(echoed)}`)
    }
  }

  const dials = await Promise.allSettled([dial(first, b, secondId), dial(second, a, firstId)])
  await Promise.all([first.stop(), second.stop()])

  return dials.flatMap(result => result.status === 'rejected' ? [String(result.reason.message).slice(0, 300)] : [])
}
