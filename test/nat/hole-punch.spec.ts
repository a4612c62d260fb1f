import { expect } from 'aegir/chai'
import { byExtent, runTimes } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { report } from '../nat-lab/report/index.ts'
import { ALL_ATTEMPTS, BYTES, STUN_SERVERS, isConnected, meet, punch, setUp } from './homes.ts'
import type { Side } from './homes.ts'
import type { NATOptions } from '../nat-lab/index.ts'
import type { NodeOptions } from '../nat-lab/programs/node.ts'
import type { Figure } from '../nat-lab/report/index.ts'

interface Cell {
  title: string
  a: Side
  b: Side

  /**
   * Between the homes, in ms one way
   */
  latency: number

  /**
   * How many of ten must succeed
   */
  expected: number

  /**
   * How many punches a full run makes
   *
   * @default 5
   */
  sample?: number

  /**
   * The target of the median, in ms, asserted in a report only
   */
  within?: number
}

const RESTRICTED: NATOptions = { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' }
const RESETTING: NATOptions = { ...RESTRICTED, unsolicited: 'reset' }
const FIREWALL = { firewall: true, filtering: 'address-and-port-dependent' } as const
// as behind every router that filters: AutoNAT finds out that strangers cannot dial the address
const PRIVATE: Partial<NodeOptions> = { announce: 'never' }
const STOCK_SERVICE: Partial<NodeOptions> = { dcutr: 'stock', announce: 'always' }
const STOCK: Side = { nat: RESTRICTED, options: { stock: true } }

/**
 * Two homes of one kind
 */
function both (nat: Side['nat']): { a: Side, b: Side } {
  return { a: { nat, options: PRIVATE }, b: { nat, options: PRIVATE } }
}

const CELLS: Cell[] = [
  ...[0, 20, 100].map(latency => ({
    title: `the routers filter by address and port, ${latency} ms one way`,
    ...both(RESTRICTED),
    latency,
    expected: 9.8,
    within: 5 * 2 * latency + 60
  })),
  {
    title: 'address-dependent filtering',
    ...both({ ...RESTRICTED, filtering: 'address-dependent' }),
    latency: 20,
    expected: 9.8
  },
  { title: 'computed ports', ...both({ ...RESTRICTED, ports: 'hashed' }), latency: 20, expected: 9.8 },
  {
    title: 'a carrier NAT before the home of A',
    ...both(RESTRICTED),
    a: { nat: { ...RESTRICTED, carrier: true }, options: PRIVATE },
    latency: 20,
    expected: 9.8
  },
  {
    title: 'a carrier NAT before the home of B, computed ports',
    ...both(RESTRICTED),
    b: { nat: { ...RESTRICTED, ports: 'hashed', carrier: true }, options: PRIVATE },
    latency: 20,
    expected: 9.8
  },
  { title: 'IPv6, firewalls and no NAT', ...both(FIREWALL), latency: 20, sample: 2, expected: 9.8 },
  {
    title: 'B admits every peer',
    ...both(RESTRICTED),
    b: { nat: { ...RESTRICTED, filtering: 'endpoint-independent' } },
    latency: 20,
    sample: 2,
    expected: 9.8,
    within: 3 * 2 * 20 + 100
  },
  {
    title: 'A admits every peer',
    ...both(RESTRICTED),
    a: { nat: { ...RESTRICTED, filtering: 'endpoint-independent' } },
    latency: 20,
    sample: 2,
    expected: 9.8
  },
  {
    title: 'both announce an address that strangers cannot dial',
    a: { nat: RESTRICTED, options: { announce: 'always' } },
    b: { nat: RESTRICTED, options: { announce: 'always' } },
    latency: 20,
    sample: 2,
    expected: 9.8
  },
  {
    title: 'both ports take WebSockets too',
    a: { nat: RESTRICTED, options: { ...PRIVATE, webSockets: true } },
    b: { nat: RESTRICTED, options: { ...PRIVATE, webSockets: true } },
    latency: 20,
    expected: 9.8
  },
  {
    title: 'B admits every peer, by a port that takes WebSockets too',
    ...both(RESTRICTED),
    b: { nat: { ...RESTRICTED, filtering: 'endpoint-independent' }, options: { webSockets: true } },
    latency: 20,
    sample: 2,
    expected: 9.8
  },
  // without any latency the two SYNs hardly ever meet
  ...[5, 20, 100].map(latency => ({
    title: `both routers reset a stranger's SYN, ${latency} ms one way`,
    ...both(RESETTING),
    latency,
    sample: 2,
    expected: 9.8
  })),
  ...[
    { title: '@libp2p/dcutr on both sides', a: STOCK_SERVICE, b: STOCK_SERVICE },
    { title: '@libp2p/dcutr on A\'s side', a: STOCK_SERVICE, b: PRIVATE },
    { title: '@libp2p/dcutr on B\'s side', a: PRIVATE, b: STOCK_SERVICE }
  ].map(({ title, a, b }) => ({
    title,
    a: { nat: RESTRICTED, options: a },
    b: { nat: RESTRICTED, options: b },
    latency: 20,
    sample: 2,
    expected: 9.8
  }))
]

/**
 * The same with ports that take WebSockets too: `WEB_SOCKETS=1 npm run test:nat`, and in a full run besides the plain
 * ones. A sample has the two cells above.
 */
function withWebSockets ({ title, a, b, ...cell }: Cell): Cell {
  const shared = ({ nat, options }: Side): Side => ({ nat, options: { ...options, webSockets: true } })

  return { title: `${title}, on ports that take WebSockets too`, a: shared(a), b: shared(b), ...cell }
}

function isPlain ({ a, b }: Cell): boolean {
  return a.options?.webSockets == null && b.options?.webSockets == null
}

const isShared = process.env.WEB_SOCKETS != null
const plain = isShared ? [] : CELLS
const shared = isShared ? CELLS : byExtent({ sample: [], full: CELLS, report: [] })

describe('hole punching', function () {
  this.timeout(2_000_000)

  const { create } = laboratory('each')
  const figures: Figure[] = []
  // `RUNS=50 npm run test:nat`
  const timesOf = ({ sample = 5 }: Cell): number =>
    Number(process.env.RUNS ?? byExtent({ sample: Math.min(2, sample), full: sample, report: 50 }))

  after(async () => {
    if (!isShared) {
      await report.figures('hole-punching.md', 'punches', figures)
    }
  })

  for (const cell of [...plain, ...shared.filter(isPlain).map(withWebSockets)]) {
    const times = timesOf(cell)

    it(`${cell.title}: ${times} times`, async () => {
      const lab = await create()
      const homes = await setUp(lab, cell)
      const durations: number[] = []
      const failures: string[] = []

      await runTimes(times, async () => {
        try {
          durations.push(await punch(homes, cell))
          return true
        } catch (err: any) {
          // events of the programs are long
          failures.push(err.message.slice(0, 200))
          return false
        }
      })

      const median = durations.sort((a, b) => a - b)[Math.floor(durations.length / 2)]
      const reached =
        durations.length >= Math.floor((cell.expected * times) / 10) && (cell.within == null || median <= cell.within)
      figures.push({
        title: cell.title,
        value: `${durations.length} of ${times}, median ${Math.round(median)} ms`,
        target: `${Math.floor((cell.expected * times) / 10)} of ${times}` +
          (cell.within == null ? '' : `, ${cell.within} ms`),
        reached
      })
      process.stdout.write(
        `      ${durations.length} of ${times}, median ${Math.round(median)} ms\n` +
          failures.map(failure => `        ${failure}\n`).join('')
      )
      expect(durations.length, failures.join('\n')).to.be.at.least(Math.floor(cell.expected * times / 10))

      if (report.isWhole && cell.within != null) {
        expect(median).to.be.at.most(cell.within)
      }
    })
  }

  it('fails cleanly where a mapping depends on the endpoint: the relayed connection stays', async () => {
    const lab = await create()
    const homes = await setUp(lab, {
      a: { nat: { mapping: 'address-and-port-dependent' } },
      b: { nat: RESTRICTED },
      latency: 0
    })
    const { a, b, bId } = await meet(homes, {})
    await expect(a.happened(isConnected(bId, false), ALL_ATTEMPTS)).to.eventually.be.rejected()
    expect(await a.ask('echo', { address: `/p2p/${bId}`, bytes: 10_000 }, 'echoed')).to.include({ equal: true })
    await Promise.all([a.stop(), b.stop()])
  })

  it('punches to a peer that shares its public address with a connected one', async () => {
    const lab = await create()
    const homes = await setUp(lab, {
      a: { nat: RESTRICTED },
      b: { nat: { ...RESTRICTED, ports: 'hashed', carrier: true } },
      latency: 5
    })
    const [carrier] = homes.b.routers
    const router = await lab.router('router-c', {
      address: '100.64.0.3',
      network: carrier,
      ...RESTRICTED,
      ports: 'hashed'
    })
    const laptop = await lab.host('laptop-c', { address: '192.168.1.2', network: router })
    const { a, b, bId } = await meet(homes, {})
    await a.happened(isConnected(bId, false), ALL_ATTEMPTS)

    const c = laptop.run('node', { ...homes.options, reserve: homes.relayAddress })
    const { id: cId } = await c.waitFor('started')
    await c.happened(({ event }) => event === 'reserved')
    a.send('dial', { address: `${homes.relayAddress}/p2p-circuit/p2p/${cId}` })
    const direct = await a.happened(isConnected(cId, false), ALL_ATTEMPTS)
    expect(direct.remote).to.include(carrier.address)
    await Promise.all([a.stop(), b.stop(), c.stop()])
  })

  it('500 dials to peers that never answer leave no more sockets than configured, and none for long', async () => {
    const lab = await create()
    const silent = await lab.host('silent', { address: '11.0.0.1' })
    // only a host behind a NAT dials from its listening port
    const network = await lab.router('router', { address: '11.1.0.1' })
    const dialler = await lab.host('dialler', { address: '192.168.1.2', network })
    await silent.freeze()
    const program = dialler.run('many-dials', { host: silent.address, count: 500, maxLingeringDials: 7 })
    const connecting = async (): Promise<number> =>
      (await dialler.sh('ss -Htn state syn-sent')).split('\n').filter(line => line !== '').length

    expect(await program.waitFor('given-up')).to.include({ failed: 500 })
    expect(await connecting()).to.equal(7)

    await waitUntil('no socket connects any more', async () => {
      expect(program.events.some(({ event }) => event === 'exit')).to.equal(false)

      return await connecting() === 0
    }, 60_000)
  })

  // `@libp2p/tcp` dials from a fresh port, and its role is never recovered: two of
  // them stay relayed, and so does each with one of ours
  for (const [title, sides] of [
    ['two stock js peers', { a: STOCK, b: STOCK }],
    ['a stock js peer that dials us', { a: STOCK }],
    ['a stock js peer that we dial', { b: STOCK }]
  ] as Array<[string, { a?: Side, b?: Side }]>) {
    it(`${title}: connected by the relay, and the data flows`, async () => {
      const lab = await create()
      const homes = await setUp(lab, { a: { nat: RESTRICTED }, b: { nat: RESTRICTED }, latency: 0 })
      const { a, b, aId, bId } = await meet(homes, sides)
      await expect(a.happened(isConnected(bId, false), ALL_ATTEMPTS)).to.eventually.be.rejected()

      for (const [from, to] of [[a, bId], [b, aId]] as const) {
        expect(await from.ask('echo', { address: `/p2p/${to}`, bytes: 10_000 }, 'echoed')).to.include({ equal: true })
      }

      await Promise.all([a.stop(), b.stop()])
    })
  }

  it('AutoNAT v2 decides whether the address is announced: not behind a filtering NAT', async () => {
    const lab = await create()

    for (const address of STUN_SERVERS) {
      await (
        await lab.host(`stun${address.at(-1)}`, { address })
      )
        .run('stun-server', { host: address })
        .waitFor('listening')
    }

    // AutoNAT counts one vote for each network
    const servers = ['11.0.0.9', '11.0.0.10']
    const verifiers = await Promise.all(servers.map(async (address, i) => {
      const program = (await lab.host(`verifier${i}`, { address })).run('node', {
        listen: ['/ip4/0.0.0.0/tcp/4001'],
        autonat: true,
        stunServers: ['stun:11.0.0.1'],
        minReconnectInterval: 100
      })
      return { address, program, id: (await program.waitFor('started')).id }
    }))

    for (const [i, filtering] of (['endpoint-independent', 'address-and-port-dependent'] as const).entries()) {
      const router = await lab.router(`router${i}`, { address: `11.${i + 1}.0.1`, filtering })
      const laptop = await lab.host(`laptop${i}`, { address: '192.168.1.2', network: router })
      const program = laptop.run('node', {
        listen: ['/ip4/0.0.0.0/tcp/4001'],
        autonat: true,
        stunServers: STUN_SERVERS.map(host => `stun:${host}`)
      })
      await program.waitFor('started')

      for (const { address, id } of verifiers) {
        await program.ask('dial', { address: `/ip4/${address}/tcp/4001/p2p/${id}` }, 'dialled')
      }

      const confirmed = program.happened(
        ({ event, addresses }) =>
          event === 'addresses' && addresses.some((address: string) => address.includes(`/ip4/${router.address}/`)),
        20_000
      )

      if (filtering === 'endpoint-independent') {
        await confirmed
        await program.happened(({ event, reachability }) => event === 'mapping' && reachability === 'public')
      } else {
        await expect(confirmed).to.eventually.be.rejected()
      }

      await program.stop()
    }
  })

  it('the punched connection outlives the relay', async () => {
    const lab = await create()
    const homes = await setUp(lab, { a: { nat: RESTRICTED }, b: { nat: RESTRICTED }, latency: 20 })
    const { a, b, aId, bId } = await meet(homes, {})
    await Promise.all([
      a.happened(isConnected(bId, false), ALL_ATTEMPTS),
      b.happened(isConnected(aId, false), ALL_ATTEMPTS)
    ])
    await homes.relay.stop()

    for (const [from, to] of [[a, bId], [b, aId]] as const) {
      expect(await from.ask('echo', { address: `/p2p/${to}`, bytes: BYTES }, 'echoed')).to.include({
        equal: true,
        bytes: BYTES
      })
    }
  })
})
