import { expect } from 'aegir/chai'
import { byExtent, extent, runTimes } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { ALLOCATIONS } from '../nat-lab/index.ts'
import { report } from '../nat-lab/report/index.ts'
import {
  ATTEMPT, BUDGET, LATENCY, ORDINARY, WIDE_BUDGET, bothReport, easy, expectDirect, expectRelayed, hard, startPair,
  withOptions
} from './hard-pair.ts'
import { BYTES, STUN_SERVERS, addHomes, isConnected, setUpInternet } from './homes.ts'
import type { HardPair } from './hard-pair.ts'
import type { Homes, Internet, Side } from './homes.ts'
import type { Lab, Program, ProgramEvent } from '../nat-lab/index.ts'
import type { Figure } from '../nat-lab/report/index.ts'

/**
 * SYNs of the ordinary punch until a hard punch succeeds
 */
const FIRST_ORDINARY = 4

interface Cell {
  hard: Side
  easy?: Side

  /**
   * How many connections a second another host behind the NAT begins
   */
  foreign?: number

  /**
   * Use `hardPunch: 'wide'`, and the relay's attestation
   */
  wide?: boolean

  /**
   * How many of 20 have to succeed, the median in ms, and the SYNs of each side
   */
  target: { of20: number, ms?: number, syns?: number }

  /**
   * Whether a sample has it
   */
  isSampled?: boolean
}

const block = (ports: keyof typeof ALLOCATIONS, of20 = 19): Cell => ({
  hard: hard({ ports: ALLOCATIONS[ports] }),
  target: { of20, ms: 700, syns: BUDGET }
})

/**
 * The same at a carrier, with an ordinary router at home
 */
const atCarrier = (ports: keyof typeof ALLOCATIONS): Cell => ({
  ...block(ports),
  hard: hard({ carrier: { ports: ALLOCATIONS[ports] } })
})

const sequential = (foreign?: number): Cell => ({
  hard: hard({ ports: ALLOCATIONS['steps of 1'] }),
  foreign,
  target: { of20: 20, ms: 600, syns: 32 }
})

const CELLS: Record<string, Cell> = {
  'steps of 1': sequential(),
  'steps of 1, 50 foreign connections a second': sequential(50),
  'steps of 1, 400 foreign connections a second': { ...sequential(400), isSampled: true },
  'MAP-E, 240 ports': block('MAP-E, 15 pieces of 16 ports'),
  'block of 512': block('block of 512'),
  'block of 1024': block('block of 1024'),
  'block of 2048': block('block of 2048'),
  'MAP-E at a carrier': atCarrier('MAP-E, 15 pieces of 16 ports'),
  'block of 512 at a carrier': { ...atCarrier('block of 512'), isSampled: true },
  'block of 1024 at a carrier': atCarrier('block of 1024'),
  'block of 2048 at a carrier': atCarrier('block of 2048'),
  "block of 2048, 'wide' and attested": { ...block('block of 2048'), wide: true, target: { of20: 19, ms: 700 } },
  "all ports, 'wide' and attested": {
    hard: hard({ ports: ALLOCATIONS['all ports'] }),
    wide: true,
    target: { of20: 19, ms: 1_500 },
    isSampled: true
  },
  "block of 512, the easy side's router resets strangers": {
    ...block('block of 512'),
    easy: easy({ unsolicited: 'reset' }),
    target: { of20: 18 },
    isSampled: true
  },
  "steps of 1, the easy side's router resets strangers": {
    ...sequential(),
    easy: easy({ unsolicited: 'reset' }),
    target: { of20: 18 }
  },
  "all ports, 'wide' and attested, the easy side's router resets strangers": {
    hard: hard({ ports: ALLOCATIONS['all ports'] }),
    easy: easy({ unsolicited: 'reset' }),
    wide: true,
    target: { of20: 18 }
  }
}

/**
 * A punch that succeeded
 */
interface Punched {
  /**
   * Since the relayed connection, in ms
   */
  duration: number

  /**
   * To the other home, those of the ordinary punch too
   */
  syns: { hard: number, easy: number }
}

describe('hard punch', function () {
  this.timeout(2_000_000)

  const { create } = laboratory('all')
  let lab: Lab
  let internet: Internet
  let cells = 0
  const times = Number(process.env.RUNS ?? byExtent({ sample: 1, full: 5, report: 20 }))
  const figures: Figure[] = []

  before(async () => {
    lab = await create()
    internet = await setUpInternet(lab)
  })

  after(async () => { await report.figures('hole-punching.md', 'hard-punches', figures) })

  const chosen = Object.entries(CELLS).filter(([, cell]) => extent !== 'sample' || cell.isSampled === true)

  for (const [title, cell] of chosen) {
    it(`${title}: ${times} times`, async () => {
      const homes = await setUpCell(cell)
      const punched: Punched[] = []

      try {
        await runTimes(times, async i => {
          // either peer may dial the other
          const punch = await tryPunch(homes, cell, i % 2 === 0 ? 'hard' : 'easy')
          punched.push(...punch == null ? [] : [punch])

          return punch != null
        })
      } finally {
        record(title, cell, punched)
        await homes.neighbour?.stop()
      }

      // what is missed by chance is a few of 20
      expect(punched.length).to.be.at.least(Math.max(1, Math.min(times - 1, 0.75 * times)))
    })
  }

  /**
   * The home of the hard side is A
   */
  async function setUpCell ({ hard, easy: side = easy(), foreign }: Cell): Promise<Homes & { neighbour?: Program }> {
    const homes = { ...internet, ...await addHomes(lab, { a: hard, b: side, latency: LATENCY }, ++cells) }

    if (foreign == null) {
      return homes
    }

    const host = await lab.host(`neighbour${cells}`, { address: '192.168.1.3', network: homes.a.routers.at(-1) })
    const neighbour = host.run('neighbour', { host: STUN_SERVERS[0], port: 9, rate: foreign })
    await neighbour.waitFor('ready')

    return { ...homes, neighbour }
  }

  function record (title: string, { target }: Cell, punched: Punched[]): void {
    const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
    const ms = median(punched.map(({ duration }) => duration))
    const most = (side: 'hard' | 'easy'): number => Math.max(...punched.map(({ syns }) => syns[side]))
    const texts = punched.map(({ duration, syns }) => `${Math.round(duration)} ms (${syns.hard}, ${syns.easy})`)
    process.stdout.write(`      ${texts.join(' ')}\n`)
    figures.push({
      title,
      value: `${punched.length} of ${times}, median ${Math.round(ms)} ms, ` +
        `SYNs at most ${most('hard')} and ${most('easy')}`,
      target: `${target.of20} of 20` +
        (target.ms == null ? '' : `, ${target.ms} ms`) +
        (target.syns == null ? '' : `, ${target.syns} SYNs`),
      reached: punched.length >= target.of20 * times / 20 && ms <= (target.ms ?? Infinity) &&
        Math.max(most('hard'), most('easy')) <= (target.syns ?? Infinity) + FIRST_ORDINARY
    })
  }

  it('costs each home no more SYNs than its budget when it never succeeds', async () => {
    const cell = CELLS['block of 512']
    const homes = await setUpCell(cell)
    // nothing from the hard side arrives
    await homes.b.laptop.sh(`nft -f - <<'NFT'
table inet deaf {
  chain input {
    type filter hook input priority 0
    ip saddr ${homes.a.routers[0].address} drop
  }
}
NFT`)
    // once in a hundred times the few samples look like another NAT, or like very few ports
    const tried = await runTimes(1, async () => {
      const punch = await start(homes, cell, 'hard')
      const outcomes = (await bothReport(punch, 'hard-punch')).map(({ outcome }) => outcome)
      const { hard, easy } = await punch.count()
      process.stdout.write(`      ${outcomes.join(', ')} (${hard}, ${easy})\n`)

      // few samples of a block leave its size open, so a sixteenth of it may be the whole budget
      expect(hard).to.be.at.most(BUDGET + ORDINARY)
      expect(easy).to.be.at.most(BUDGET + ORDINARY)
      await expectRelayed(punch)
      await punch.stop()

      return outcomes.every(outcome => outcome === 'not-met') && hard > 0 && easy >= BUDGET
    })

    expect(tried).to.equal(1)
  })

  it('where both NATs are endpoint-dependent it gives up at once, and the data flows by the relay', async () => {
    const cell = { ...CELLS['block of 512'], easy: hard({ ports: ALLOCATIONS['block of 512'] }) }
    const homes = await setUpCell(cell)
    let longest = 0

    for (let i = 0; i < byExtent({ sample: 1, full: 3, report: 20 }); i++) {
      const punch = await start(homes, cell, i % 2 === 0 ? 'hard' : 'easy')
      const relayed = await punch.hard.happened(isConnected(punch.easyId, true))
      const ended = await Promise.all([punch.hard, punch.easy].map(async node =>
        node.happened(({ event, outcome }) => event === 'hard-punch' && outcome === 'both-hard')))
      longest = Math.max(longest, ...ended.map(({ time }) => time - relayed.time))
      const count = await punch.count()
      expect(Math.max(count.hard, count.easy)).to.be.at.most(ORDINARY)
      await expectRelayed(punch)
      await punch.stop()
    }

    figures.push({
      title: 'both NATs endpoint-dependent',
      value: `given up after ${Math.round(longest)} ms at most, the relayed connection carries data`,
      target: '3000 ms',
      reached: longest <= 3_000
    })
  })

  it('with hardPunch: false on the easy side it does not begin, and the data flows by the relay', async () => {
    const isOff = withOptions(easy(), { dcutrInit: { hardPunch: false, timeout: 1_000 } })
    const cell = { ...CELLS['steps of 1'], easy: isOff }
    const punch = await start(await setUpCell(cell), cell, 'hard')
    await punch.easy.happened(({ event }) => event === 'hole-punch:failure', ATTEMPT)
    const { hard: connects, easy: probes } = await punch.count()

    expect(Math.max(connects, probes)).to.be.at.most(ORDINARY)
    expect(punch.easy.events.some(({ event }) => event === 'hard-punch')).to.equal(false)
    await expectRelayed(punch)
    await punch.stop()
  })

  it('without attestation no wide punch begins', async () => {
    const cell = CELLS["all ports, 'wide' and attested"]
    const punch = await start(await setUpCell(cell), cell, 'hard', { untrusting: 'hard' })
    const { outcome } = await punch.hard.happened(({ event }) => event === 'hard-punch', ATTEMPT)
    const { hard: connects, easy: probes } = await punch.count()

    expect(outcome).to.equal('too-many-ports')
    expect(Math.max(connects, probes)).to.be.at.most(ORDINARY)
    await expectRelayed(punch)
    await punch.stop()
  })

  it('is superseded by an ordinary dial that is quicker', async () => {
    const cell = { ...CELLS['block of 512'], easy: easy({ filtering: 'endpoint-independent' }) }
    const punch = await start(await setUpCell(cell), cell, 'hard')
    const ended = ({ event }: ProgramEvent): boolean => event === 'hard-punch'
    const [{ outcome: hard }, { outcome: easy_ }] = await Promise.all([
      punch.hard.happened(ended),
      punch.easy.happened(ended)
    ])

    expect(hard).to.be.oneOf(['superseded', 'succeeded'])
    expect(easy_).to.equal('superseded')
    await punch.stop()
  })

  it('the mapping of the easy side is renewed meanwhile, and stays the same', async () => {
    const cell = CELLS["all ports, 'wide' and attested"]
    const homes = await setUpCell(cell)
    const stunServers = await Promise.all(homes.stun.map(async host => {
      await host.run('stun-server', { host: host.address, port: 3_479, hangUp: 400 }).waitFor('listening')

      return `stun:${host.address}:3479`
    }))

    for (let i = 0; i < byExtent({ sample: 1, full: 3, report: 5 }); i++) {
      const punch = await start({ ...homes, options: { ...homes.options, stunServers } }, cell, 'hard')
      const before = punch.easy.events.length
      await punch.easy.happened(({ event }) => event === 'hard-punch')
      await punch.easy.happened(({ event }) => event === 'renewal')
      const during = punch.easy.events.slice(before)

      expect(during.filter(({ event }) => event === 'renewal')).to.not.be.empty()
      expect([...new Set(punch.easy.events.filter(({ event }) => event === 'mapping').map(({ external }) => external))])
        .to.deep.equal([`/ip4/${homes.b.routers[0].address}/tcp/4001`])
      await punch.stop()
    }
  })

  /**
   * Both nodes, with a relayed connection soon
   *
   * @param homes
   * @param cell
   * @param dialler - which of them dials the other one
   * @param options
   * @param options.untrusting - who does not believe the relay
   */
  async function start (
    homes: Homes,
    cell: Pick<Cell, 'hard' | 'easy' | 'wide'>,
    dialler: 'hard' | 'easy',
    { untrusting }: { untrusting?: 'hard' | 'easy' } = {}
  ): Promise<HardPair> {
    const withTrust = (side: Side, name: string): Side => cell.wide !== true
      ? side
      : withOptions(side, {
        dcutrInit: { hardPunch: 'wide', trustedRelays: untrusting === name ? [] : [homes.relayId] }
      })

    const sides = { hard: withTrust(cell.hard, 'hard'), easy: withTrust(cell.easy ?? easy(), 'easy') }

    return startPair(homes, sides, dialler)
  }

  /**
   * @returns nothing when the connection stays relayed
   */
  async function tryPunch (homes: Homes, cell: Cell, dialler: 'hard' | 'easy'): Promise<Punched | undefined> {
    const punch = await start(homes, cell, dialler)
    const { hard, easy, hardId, easyId } = punch
    const [node, peer] = dialler === 'hard' ? [hard, easyId] : [easy, hardId]

    try {
      const relayed = await node.happened(isConnected(peer, true))
      // a router that resets ends an ordinary attempt soon, and the hard punch goes on
      const outcomes = await Promise.all([punch.hard, punch.easy].map(async node => node.happened(({ event }) =>
        event === 'hole-punch:success' || event === 'hole-punch:failure', ATTEMPT)))

      if (outcomes.some(({ event }) => event === 'hole-punch:failure')) {
        const texts = outcomes.map(({ event, message }) => message ?? event)
        process.stdout.write(`      failed: ${JSON.stringify(texts)}\n`)

        if (outcomes.every(({ event }) => event === 'hole-punch:failure')) {
          await expectRelayed(punch)
        }

        return
      }

      const [direct] = await Promise.all([
        node.happened(isConnected(peer, false)),
        hard.happened(isConnected(easyId, false))
      ])
      const syns = await punch.count()
      await expectDirect(punch, BYTES)
      // what a probe meets may be an ordinary dial of the hard side
      expect(outcomes.map(({ method }) => method)).to.include('hard')
      // a wide punch takes so long that the system repeats SYNs
      expect(syns.hard).to.be.at.most((cell.wide === true ? 3 * WIDE_BUDGET.connects : BUDGET) + ORDINARY)
      expect(syns.easy).to.be.at.most((cell.wide === true ? 3 * WIDE_BUDGET.probes : BUDGET) + ORDINARY)

      return { duration: direct.time - relayed.time, syns }
    } finally {
      await punch.stop()
    }
  }
})
