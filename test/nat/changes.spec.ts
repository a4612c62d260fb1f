import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { FAST, externalAddresses, lastMapping, setUpHome, startServer, toEndpoint } from '../nat-lab/home.ts'
import { report } from '../nat-lab/report/index.ts'
import type { Home, HomeInit, ServerKind } from '../nat-lab/home.ts'
import type { Program } from '../nat-lab/index.ts'
import type { Figure } from '../nat-lab/report/index.ts'

/**
 * The debounce of libp2p's address manager, in ms
 */
const DEBOUNCE = 1_000

const KEEPING: ServerKind = {}

/**
 * When the network changes, the new address is announced without a restart, and the
 * old one is withdrawn
 */
describe('a public address that changes', function () {
  this.timeout(180_000)

  const { create } = laboratory('each')
  const figures: Figure[] = []

  after(async () => { await report.figures('nat-matrix.md', 'changes', figures) })

  /**
   * Record a time and its target. Only a report asserts it, because a busy machine
   * proves nothing.
   */
  function time (title: string, ms: number, target: number): void {
    figures.push({ title, value: `${Math.round(ms)} ms`, target: `at most ${target} ms`, reached: ms <= target })

    if (report.isWhole) {
      expect(ms).to.be.at.most(target)
    }
  }

  async function setUp (init: Partial<HomeInit>): Promise<Home> {
    const home = await setUpHome(await create(), { servers: [KEEPING, KEEPING], program: 'node', ...init })
    expect(lastMapping(home.program)).to.include({ state: 'mapped' })

    return home
  }

  const isAnnounced = (addresses: string[], external: string): boolean =>
    addresses.some(address => address.startsWith(`${external}/`) || address === external)

  async function reaches ({ stranger }: Home, external: string): Promise<boolean> {
    return (await stranger.ask('probe', toEndpoint(external))).failure == null
  }

  /**
   * A stock peer in the same network, with a direct connection to the home
   */
  async function meetNeighbour (
    lab: Awaited<ReturnType<typeof create>>,
    { router, laptop, program }: Home
  ): Promise<Program> {
    const host = await lab.host('neighbour', { address: '192.168.1.3', network: router })
    const neighbour = host.run('node', { listen: ['/ip4/0.0.0.0/tcp/4001'] })
    await neighbour.waitFor('started')
    const started = program.events.find(({ event }) => event === 'started')
    neighbour.send('dial', { address: `/ip4/${laptop.address}/tcp/4001/p2p/${started?.id}` })
    await neighbour.waitFor('identified')

    return neighbour
  }

  const CHANGES: Array<{ title: string; latency: number; happens(home: Home): Promise<void> }> = [
    {
      title: 'The router is rebooted',
      latency: 0,
      happens: async ({ router }) => { await router.reboot() }
    },
    {
      title: 'The router is rebooted',
      latency: 25,
      happens: async ({ router }) => { await router.reboot() }
    },
    {
      title: 'The router gets another address',
      latency: 0,
      happens: async ({ router }) => { await router.renumber('11.1.0.77') }
    },
    {
      title: 'The router gets another address',
      latency: 25,
      happens: async ({ router }) => { await router.renumber('11.1.0.77') }
    }
  ]

  for (const { title, latency, happens } of CHANGES) {
    it(`${title}, ${2 * latency} ms round trip: the new address is announced and the old one is not, in one ` +
      'update', async () => {
      const lab = await create()
      const home = await setUpHome(lab, { servers: [KEEPING, KEEPING], program: 'node', latency })
      const { program, router, external: old } = home
      const neighbour = await meetNeighbour(lab, home)
      expect(isAnnounced((await program.ask('addresses')).addresses, old)).to.equal(true)

      const before = Date.now()
      await happens(home)
      const mapped = await program.waitFor('mapping', ({ external }) => external != null && external !== old)
      const { external } = mapped
      expect(toEndpoint(external).host).to.equal(router.address)
      const announced = await program.waitFor('addresses', ({ addresses }) => isAnnounced(addresses, external))
      const heard = await neighbour.waitFor('identified', ({ addresses }) => isAnnounced(addresses, external))
      expect(isAnnounced(heard.addresses, old)).to.equal(false)
      expect(await reaches(home, external)).to.equal(true)
      expect(await reaches(home, old)).to.equal(false)

      // in one update: it is the first one after the change was known, and no later
      // one contains the old address
      const updates = program.events.slice(program.events.indexOf(mapped)).filter(({ event }) => event === 'addresses')
      expect(updates[0]).to.equal(announced)
      expect(updates.filter(({ addresses }) => isAnnounced(addresses, old))).to.be.empty()

      const target = FAST.keepAliveInterval + 3 * 2 * latency
      time(`${title}, ${2 * latency} ms round trip: the new address is known after`, mapped.at - before, target)
      time(`${title}, ${2 * latency} ms round trip: and announced after`, announced.at - before, target + DEBOUNCE)
    })
  }

  it('all servers are gone while one outgoing connection lives: the address stays, then goes with it, and comes back ' +
    'with the servers', async () => {
    const lab = await create()
    const home = await setUpHome(lab, { servers: [KEEPING, KEEPING], program: 'node' })
    const { program, servers, stranger, external } = home
    const outside = (await lab.host('outside', { address: '11.0.0.9' })).run('node', {
      listen: ['/ip4/0.0.0.0/tcp/4001']
    })
    const { id } = await outside.waitFor('started')
    program.send('dial', { address: `/ip4/11.0.0.9/tcp/4001/p2p/${id}` })
    await program.waitFor('dialled')
    const { direction, remote } = await outside.waitFor('connected')
    expect(direction).to.equal('inbound')
    expect(toEndpoint(remote)).to.deep.equal(toEndpoint(external))

    await Promise.all(servers.map(async ({ program }) => program.stop()))
    await stranger.ask('aim', toEndpoint(external))
    const dials = (10 * FAST.keepAliveInterval) / 50
    await stranger.waitFor('progress', progress => progress.dials >= dials, 60_000)
    const { lost } = await stranger.ask('cease')
    const title = 'All servers gone for 10 keep-alive intervals, one outgoing connection lives'
    figures.push({ title, value: `${lost} of ${dials} dials lost`, target: '0 lost', reached: lost === 0 })
    expect(stranger.events.filter(({ event }) => event === 'lost').map(({ failure }) => failure)).to.deep.equal([])
    expect(lost).to.equal(0)
    expect(externalAddresses(program)).to.deep.equal([external])
    expect(isAnnounced((await program.ask('addresses')).addresses, external)).to.equal(true)

    const withdrawn = program.waitFor('mapping', ({ state }) => state === 'lost')
    await outside.stop()
    await withdrawn
    await program.waitFor('addresses', ({ addresses }) => !isAnnounced(addresses, external))

    for (const { host } of servers) {
      await startServer(host, KEEPING)
    }

    const { external: again } = await program.waitFor('mapping', ({ state }) => state === 'mapped')
    await program.waitFor('addresses', ({ addresses }) => isAnnounced(addresses, again))
    expect(await reaches(home, again)).to.equal(true)
  })

  for (const program of ['node', 'mapping'] as const) {
    it(`the home gets another local address, ${program}: a new mapping without a restart`, async () => {
      const home = await setUp({ program })
      await home.laptop.renumber('192.168.1.7')
      const { external } = await home.program.waitFor(
        'mapping',
        ({ state, local }) => state === 'mapped' && local === '/ip4/192.168.1.7/tcp/4001'
      )
      expect(external).to.not.equal(home.external)
      expect(await reaches(home, external)).to.equal(true)
    })
  }

  it('an address that AutoNAT has to confirm is not announced before it has', async () => {
    const { program, servers, external } = await setUp({ options: { announce: 'never' } })
    // the mapping is held nevertheless
    const { length } = servers[0].program.events
    await servers[0].program.waitFor('binding', () => servers[0].program.events.length > length + 2)
    await program.ask('addresses')
    const lists: string[][] = program.events
      .filter(({ addresses }) => addresses != null)
      .map(({ addresses }) => addresses)
    expect(lists.length).to.be.at.least(2)
    expect(lists.filter(addresses => isAnnounced(addresses, external))).to.be.empty()
    expect(externalAddresses(program)).to.deep.equal([external])
  })
})
