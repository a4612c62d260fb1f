import { expect } from 'aegir/chai'
import { byExtent, runTimes } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { ALL_ATTEMPTS, isConnected, meet, setUp } from './homes.ts'
import type { Homes, Pair } from './homes.ts'
import type { NATOptions } from '../nat-lab/index.ts'

const RESTRICTED: NATOptions = { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' }
const PRIVATE = { nat: RESTRICTED, options: { announce: 'never' } } as const

/**
 * How long a dial that nobody answers is waited for, in ms
 */
const IN_VAIN = 200

const TIMES = Number(process.env.RUNS ?? byExtent({ sample: 1, full: 3, report: 10 }))

/**
 * A router keeps the state of a SYN that nobody has answered for 120 s. Later packets
 * between the same two ports have to fit it.
 */
describe('a hole punch after a restart', function () {
  this.timeout(600_000)

  const { create } = laboratory('each')

  for (const latency of [0, 20]) {
    for (const side of ['a', 'b'] as const) {
      it(`${side.toUpperCase()} restarts right after it has dialled in vain, ${latency} ms one way`, async () => {
        const lab = await create()
        const pair: Pair = { a: PRIVATE, b: PRIVATE, latency }
        const homes = await setUp(lab, pair)
        const durations: number[] = []

        const succeeded = await runTimes(TIMES, async () => {
          await dialInVain(homes, side)
          const duration = await punchAfterwards(homes, pair)
          durations.push(duration)

          return Number.isFinite(duration)
        })

        process.stdout.write(`      ${durations.join(' ')} ms\n`)
        expect(succeeded).to.be.at.least(Math.max(1, Math.floor(0.9 * TIMES)))
      })
    }
  }
})

/**
 * Dial the other side, which is not there, from the listening port. Both routers have
 * forgotten what was before.
 */
async function dialInVain (homes: Homes, side: 'a' | 'b'): Promise<void> {
  const other = homes[side === 'a' ? 'b' : 'a']
  await Promise.all([...homes.a.routers, ...homes.b.routers].map(async router => router.reboot()))
  const node = homes[side].laptop.run('node', { ...homes.options, ...PRIVATE.options })
  await node.waitFor('started')
  await node.happened(({ event, state }) => event === 'mapping' && state === 'mapped')
  await expect(
    node.ask('dial', { address: `/ip4/${other.routers[0].address}/tcp/4001`, timeout: IN_VAIN }, 'dialled')
  ).to.eventually.be.rejected()
  await node.stop()
}

/**
 * @returns from the relayed connection to the direct one, in ms; Infinity if there was none
 */
async function punchAfterwards (homes: Homes, pair: Pair): Promise<number> {
  const { a, b, aId, bId } = await meet(homes, pair, { reboot: false })

  try {
    const relayed = await a.happened(isConnected(bId, true))
    const [direct] = await Promise.all([
      a.happened(isConnected(bId, false), ALL_ATTEMPTS),
      b.happened(isConnected(aId, false), ALL_ATTEMPTS)
    ])

    return direct.time - relayed.time
  } catch {
    return Infinity
  } finally {
    await Promise.all([a.stop(), b.stop()])
  }
}
