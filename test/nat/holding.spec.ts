import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { externalAddresses, lastMapping, setUpHome, startServer, toEndpoint } from '../nat-lab/home.ts'
import { report } from '../nat-lab/report/index.ts'
import type { Home, HomeInit, ServerKind } from '../nat-lab/home.ts'
import type { Program } from '../nat-lab/index.ts'
import type { Figure } from '../nat-lab/report/index.ts'

/**
 * The time between two dials, in ms
 */
const DIAL_INTERVAL = 50

/**
 * The address that a lying server reports
 */
const LIE = { host: '11.66.66.66', port: 6_666 }

/**
 * Servers that end each connection after some time, in ms
 */
const hangingUp = (count: number, hangUp = 2_000): ServerKind[] => Array.from({ length: count }, () => ({ hangUp }))

const KEEPING: ServerKind = {}
const COTURN_CAPPED: ServerKind = { coturn: 2 }
const COTURN_DEFAULT: ServerKind = { coturn: 60 }
const COTURN_LONG: ServerKind = { coturn: 900 }

/**
 * During each of these events an outside peer dials the home node continuously, and
 * no dial is lost
 */
describe('a mapping that never drops', function () {
  this.timeout(1_200_000)

  const { create } = laboratory('each')
  const figures: Figure[] = []

  after(async () => { await report.figures('nat-matrix.md', 'faults', figures) })

  async function setUp (init: HomeInit): Promise<Home> {
    const home = await setUpHome(await create(), init)
    expect(lastMapping(home.program)).to.include({ state: 'mapped' })
    expect(toEndpoint(home.external).host).to.equal(home.router.address)

    return home
  }

  /**
   * Dial the home node while something happens to it. No dial is lost, and its
   * address stays.
   */
  async function dialWhile (
    title: string,
    home: Home,
    happens: (home: Home) => Promise<void>,
    addresses = [home.external]
  ): Promise<void> {
    const { stranger, program, external } = home
    await stranger.ask('aim', toEndpoint(external))
    await happens(home)
    const { dials, lost } = await stranger.ask('cease')

    figures.push({ title, value: `${lost} of ${dials} dials lost`, target: '0 lost', reached: lost === 0 })
    expect(stranger.events.filter(({ event }) => event === 'lost')).to.be.empty()
    expect(lost).to.equal(0)
    expect(externalAddresses(program)).to.deep.equal(addresses)
  }

  /**
   * Wait for some keep-alive intervals, by the count of the dialler
   */
  async function intervals ({ stranger }: Home, count: number): Promise<void> {
    const from = stranger.events.findLast(({ event }) => event === 'progress')?.dials ?? 0
    await stranger.waitFor(
      'progress',
      ({ dials }) => dials >= from + (count * 1_000) / DIAL_INTERVAL,
      count * 2_000 + 30_000
    )
  }

  const renewals = async (program: Program, count: number): Promise<void> => {
    await program.waitFor('renewal', ({ ahead = 0 }) => ahead >= count, 1_100_000)
  }

  const most = byExtent({ sample: 20, full: 100, report: 100 })
  const many = byExtent({ sample: 5, full: 10, report: 100 })
  const few = byExtent({ sample: 1, full: 1, report: 10 })
  const RENEWALS: Array<{ title: string, program: HomeInit['program'], servers: ServerKind[], count: number }> = [{
    title: `${most} renewals, two servers that hang up after 2 s`,
    program: 'mapping',
    servers: hangingUp(2),
    count: most
  }, {
    title: `${many} renewals, a node of libp2p, three servers that hang up after 2 s`,
    program: 'node',
    servers: hangingUp(3),
    count: many
  }, {
    title: `${many} renewals, two coturns that hang up after 2 s`,
    program: 'mapping',
    servers: [COTURN_CAPPED, COTURN_CAPPED],
    count: many
  }, {
    title: `${few} renewals, two coturns as they come (60 s)`,
    program: 'mapping',
    servers: [COTURN_DEFAULT, COTURN_DEFAULT],
    count: few
  }]

  for (const { title, program, servers, count } of RENEWALS) {
    it(title, async () => {
      const home = await setUp({ servers, program })
      await dialWhile(title, home, async () => { await renewals(home.program, count) })
    })
  }

  /**
   * What may happen to one of two servers
   */
  const FAULTS: Array<{ title: string; servers: ServerKind[]; happens(home: Home): Promise<void> }> = [
    {
      title: 'stops',
      servers: [KEEPING, KEEPING],
      happens: async ({ servers }) => { await servers[0].program.stop() }
    },
    {
      title: 'stops, the other hangs up after 2 s',
      servers: [KEEPING, ...hangingUp(1)],
      happens: async ({ servers }) => { await servers[0].program.stop() }
    },
    {
      title: 'freezes',
      servers: [KEEPING, KEEPING],
      happens: async ({ servers }) => { await servers[0].host.freeze() }
    },
    {
      title: 'freezes, coturn',
      servers: [COTURN_LONG, COTURN_LONG],
      happens: async ({ servers }) => { await servers[0].host.freeze() }
    },
    {
      title: 'stops, coturn',
      servers: [COTURN_LONG, COTURN_LONG],
      happens: async ({ servers }) => { await servers[0].program.stop() }
    },
    { title: 'hangs up after each reply', servers: [{ hangUp: 'after-reply' }, KEEPING], happens: async () => {} }
  ]

  for (const { title, servers, happens } of FAULTS) {
    it(`one of two servers ${title}`, async () => {
      const home = await setUp({ servers })
      await dialWhile(`One of two servers ${title}`, home, async () => {
        await happens(home)
        await intervals(home, 10)
      })
    })
  }

  it('one of two servers stops, and comes back', async () => {
    const home = await setUp({ servers: [KEEPING, KEEPING] })
    await dialWhile('One of two servers stops, and comes back', home, async ({ servers: [{ host, program }] }) => {
      await program.stop()
      await home.program.waitFor('mapping', ({ failures }) => failures.length === 1)
      await startServer(host, KEEPING)
      await home.program.waitFor('mapping', ({ failures, servers }) => failures.length === 0 && servers.length === 2)
      await intervals(home, 10)
    })
  })

  it('one of three servers lies from the start', async () => {
    const home = await setUp({ servers: [{ lie: LIE }, KEEPING, KEEPING] })
    await dialWhile('One of three servers lies from the start', home, async () => { await intervals(home, 10) })
    expect(lastMapping(home.program).failures.map(({ server, name }: any) => [server, name])).to.deep.include([
      'stun:11.0.0.1',
      'DisagreeingServerError'
    ])
  })

  it('one of three servers begins to lie', async () => {
    const home = await setUp({ servers: [{ lie: null }, KEEPING, KEEPING], options: { stunConnections: 3 } })
    await dialWhile('One of three servers begins to lie', home, async ({ servers: [{ program }] }) => {
      await program.ask('lie', { lie: LIE })
      await home.program.waitFor('mapping', ({ failures }) =>
        failures.some(({ name }: any) => name === 'ContradictoryServerError')
      )
      await intervals(home, 10)
    })
  })

  it('two servers disagree and there is no third: nothing is announced, and the status says so', async () => {
    const home = await setUpHome(await create(), { servers: [{ lie: LIE }, KEEPING] })
    expect(lastMapping(home.program)).to.include({ state: 'endpoint-dependent' })
    expect(externalAddresses(home.program)).to.deep.equal([undefined])
  })

  it('recovers after the line was disconnected', async () => {
    const home = await setUp({ servers: [KEEPING, KEEPING] })
    const { router, stranger, program, external } = home
    await stranger.ask('aim', toEndpoint(external))
    await router.unplug()
    await intervals(home, 5)
    await router.plug()
    await intervals(home, 5)
    await stranger.ask('cease')
    const { failure } = await stranger.ask('probe', toEndpoint(lastMapping(program).external))
    expect(failure).to.equal(undefined)
  })

  const timeouts = byExtent({ sample: 4, full: 10, report: 100 })

  it(`the router forgets after 3 s of silence, ${timeouts} times`, async () => {
    const home = await setUp({ servers: [KEEPING, KEEPING] })
    const title = `A router that forgets after 3 s, for ${timeouts} times that`
    const { stranger, external, program } = home
    // only one dial before the seconds of silence, so that dials cannot have held the
    // mapping
    await stranger.ask('probe', toEndpoint(external))
    const start = home.servers[0].program.events.length
    await home.servers[0].program.waitFor(
      'binding',
      () => home.servers[0].program.events.length - start >= timeouts / 2,
      4_000 * timeouts
    )
    const { failure } = await stranger.ask('probe', toEndpoint(external))
    figures.push({ title, value: failure ?? 'reached', target: 'reached', reached: failure == null })
    expect(failure).to.equal(undefined)
    expect(externalAddresses(program)).to.deep.equal([external])

    // without keep-alives the router forgets
    await home.laptop.freeze()
    await intervalsOfSilence(home)
    await home.laptop.thaw()
    expect((await stranger.ask('probe', toEndpoint(external))).failure).to.not.equal(undefined)
  })

  const forgetful = byExtent({ sample: it.skip, full: it, report: it })

  forgetful(
    'the router forgets after 10 s of silence, and the keep-alive interval is 15 s: it is shortened, and no dial ' +
      'is lost then',
    async () => {
      const home = await setUp({ servers: [KEEPING, KEEPING], timeout: 10, options: { keepAliveInterval: 15_000 } })
      await home.program.waitFor('mapping', ({ keepAliveInterval }) => keepAliveInterval === 7_500, 60_000)
      const { external } = await home.program.happened(
        ({ event, state, external }) => event === 'mapping' && state === 'mapped' && external !== home.external
      )
      await dialWhile(
        'A router that forgets after 10 s, after the keep-alive interval of 15 s was shortened',
        { ...home, external },
        async () => { await intervals(home, 45) },
        [home.external, external]
      )
    }
  )

  /**
   * Until the router has forgotten the home's port
   */
  async function intervalsOfSilence ({ router }: Home): Promise<void> {
    const isKnown = async (): Promise<boolean> =>
      (await router.sh('nft list map ip nat allowed_port')).includes('expires')

    await waitUntil('the router has forgotten the port', async () => !(await isKnown()), 60_000)
  }
})
