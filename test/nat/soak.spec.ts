import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { externalAddresses, lastMapping, setUpHome, toEndpoint } from '../nat-lab/home.ts'
import { report } from '../nat-lab/report/index.ts'
import type { Home, ServerKind } from '../nat-lab/home.ts'
import type { Figure } from '../nat-lab/report/index.ts'

/**
 * The number of dials between two faults, one dial every 50 ms
 */
const DIALS_PER_FAULT = 400

/**
 * The most that the heap may grow, in bytes
 */
const HEAP_GROWTH = 2_097_152

const HANGS_UP: ServerKind = { hangUp: 2_000 }

describe('a mapping held for a long time', function () {
  this.timeout(1_200_000)

  const { create } = laboratory('each')
  const figures: Figure[] = []

  after(async () => { await report.figures('nat-matrix.md', 'soak', figures) })

  const minutes = byExtent({ sample: 1, full: 2, report: 10 })

  it(`leaks no handles, timers or memory in ${minutes} minutes of faults`, async () => {
    const home = await setUpHome(await create(), { servers: [HANGS_UP, HANGS_UP, HANGS_UP] })
    const faults = 3 * minutes
    await home.stranger.ask('aim', toEndpoint(home.external))

    for (let i = 0; i < faults / 5; i++) {
      await fault(home, i)
    }

    const before = await resources(home)

    for (let i = 0; i < faults; i++) {
      await fault(home, i)
    }

    const after = await resources(home)
    const growth = after.heap - before.heap
    const addresses = externalAddresses(home.program).filter(address => address != null)
    figures.push({
      title: `${minutes} minutes with ${faults} reboots and frozen servers, ${addresses.length} addresses: growth ` +
        'of the heap',
      value: `${Math.round(growth / 1_024)} KiB`,
      target: `below ${HEAP_GROWTH / 1_024} KiB`,
      reached: growth < HEAP_GROWTH
    })
    expect(addresses.length).to.be.above(1)
    expect(growth).to.be.below(HEAP_GROWTH)

    for (const kind of new Set([...Object.keys(before.counts), ...Object.keys(after.counts)])) {
      // a connection may be in replacement, with its timer
      expect(after.counts[kind] ?? 0).to.be.closeTo(before.counts[kind] ?? 0, 2, kind)
    }
  })

  /**
   * Reboot the router, or freeze a server for a while, in turn
   */
  async function fault ({ router, servers, stranger, program }: Home, i: number): Promise<void> {
    if (i % 2 === 0) {
      await router.reboot()
      await dials(stranger, DIALS_PER_FAULT)
    } else {
      const { host } = servers[i % servers.length]
      await host.freeze()
      await dials(stranger, DIALS_PER_FAULT / 2)
      await host.thaw()
      await dials(stranger, DIALS_PER_FAULT / 2)
    }

    // strangers dial the current address
    await stranger.ask('aim', toEndpoint(lastMapping(program).external))
  }

  async function dials (stranger: Home['stranger'], count: number): Promise<void> {
    const from = stranger.events.findLast(({ event }) => event === 'progress' || event === 'aim')?.dials ?? 0
    await stranger.waitFor('progress', ({ dials }) => dials >= from + count, 60_000)
  }

  /**
   * The resources of the process while it holds the mapping and no peer dials
   */
  async function resources ({ stranger, program, servers }: Home): Promise<any> {
    await stranger.ask('cease')
    await servers[0].program.waitFor('binding')
    expect(lastMapping(program)).to.include({ state: 'mapped' })
    const answer = await program.ask('resources')
    await stranger.ask('aim', toEndpoint(lastMapping(program).external))

    return answer
  }
})
