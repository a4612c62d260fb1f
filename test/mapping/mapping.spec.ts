import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { DEFAULT_STUN_SERVERS, PublicMapping } from '../../src/mapping/index.ts'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { createSTUNServer } from '../../src/server/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { zoneDNS } from '../fixtures/dns.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { HOSTILE, answer, fakeServer, mapped, mapsTo, stunServer } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { Clock, MappingStatus, PublicMappingComponents, PublicMappingInit } from '../../src/mapping/index.ts'
import type { FakeServer } from '../fixtures/stun-servers.ts'

const EVENT = { timeout: 10_000 }

describe('public mapping', () => {
  const { closeLater } = closesAfterEach()

  async function listen (): Promise<number> {
    const server = closeLater(net.createServer())
    const listening = pEvent(server, 'listening', EVENT)
    const bound = bindSocket({ host: '127.0.0.1', port: 0 })
    bound.listen(server)
    await listening

    return bound.port
  }

  async function create (
    stunServers: string[],
    init: Partial<PublicMappingInit> = {},
    components: PublicMappingComponents = {}
  ): Promise<{ mapping: PublicMapping; seen: MappingStatus[]; events: string[] }> {
    const listener = `127.0.0.1:${await listen()}`
    const mapping = closeLater(
      new PublicMapping({ listener, stunServers, minReconnectInterval: 0, ...init }, components)
    )
    const seen: MappingStatus[] = []
    const events: string[] = []
    mapping.addEventListener('status', ({ detail }) => { seen.push(detail) })

    for (const name of ['mapped', 'changed', 'lost'] as const) {
      mapping.addEventListener(name, () => { events.push(name) })
    }

    return { mapping, seen, events }
  }

  /**
   * The first status that fits, now or later
   */
  async function until (mapping: PublicMapping, fits: (status: MappingStatus) => boolean): Promise<MappingStatus> {
    if (fits(mapping.status)) {
      return mapping.status
    }

    return (
      await pEvent<'status', CustomEvent<MappingStatus>>(mapping, 'status', {
        ...EVENT,
        filter: ({ detail }) => fits(detail)
      })
    ).detail
  }

  const external = (status: MappingStatus): string | undefined =>
    'external' in status ? status.external.toString() : undefined

  it('is mapped when the servers agree', async () => {
    const a = closeLater(await mapsTo('11.0.0.1', 4001))
    const b = closeLater(await mapsTo('11.0.0.1', 4001))
    const { mapping, events } = await create([a.uri, b.uri])
    const status = await mapping.start()

    expect(status).to.have.property('state', 'mapped')
    expect(external(status)).to.equal('/ip4/11.0.0.1/tcp/4001')
    expect(status).to.have.deep.property('servers').with.members([a.uri, b.uri])
    expect(status.failures).to.be.empty()
    expect(events).to.deep.equal(['mapped'])
    expect([a.accepted, b.accepted]).to.deep.equal([1, 1])
  })

  it('is direct when there is no NAT', async () => {
    const server = closeLater(createSTUNServer({ listen: [{ host: '127.0.0.1', port: 0 }] }))
    await server.listen()
    const { mapping } = await create([`stun:127.0.0.1:${server.addresses[0].port}`], { allowPrivateMapping: true })
    const status = await mapping.start()

    expect(status).to.have.property('state', 'direct')
    expect(external(status)).to.equal(mapping.status.listener.toString())
  })

  it('holds `stunConnections` connections, and no spare one', async () => {
    const servers = await Promise.all(Array.from({ length: 5 }, async () => closeLater(await mapsTo('11.0.0.1', 4001))))
    // the clock stands still: connections that are slow to open would start a race with all servers
    const clock = new HeldClock()
    const { mapping } = await create(servers.map(({ uri }) => uri), { stunConnections: 2, clock })
    const status = await mapping.start()
    const open = (): number => servers.reduce((sum, { sockets }) => sum + sockets.size, 0)

    expect(status).to.have.property('state', 'mapped')

    await waitUntil('only two connections are open', () => open() <= 2)

    expect(servers.reduce((sum, { accepted }) => sum + accepted, 0)).to.be.at.most(3)
  })

  it('keeps the connections alive, and asks every sixth interval', async () => {
    const clock = new HeldClock()
    let requests = 0
    const asked = new EventTarget()
    const server = closeLater(await stunServer(() => {
      requests++
      asked.dispatchEvent(new Event(`request-${requests}`))
      return mapped('11.0.0.1', 4001)
    }))
    const { mapping } = await create([server.uri], { clock, keepAliveInterval: 15_000, random: () => 0.5 })
    await mapping.start()

    for (let i = 2; i <= 100; i++) {
      const request = pEvent(asked, `request-${i}`, EVENT)
      clock.advance(89_999)
      expect(requests).to.equal(i - 1)
      clock.advance(1)
      await request

      // when the answer is there the timer of the request is the keep-alive's
      await waitUntil('the next request is due in 90 s', () => clock.due === 90_000)
    }

    expect(server.accepted).to.equal(1)
    expect(mapping.status.state).to.equal('mapped')
  })

  it('replaces a connection that the server ends, and never loses the address', async () => {
    const a = closeLater(await mapsTo('11.0.0.1', 4001))
    const b = closeLater(await mapsTo('11.0.0.1', 4001))
    const { mapping, events } = await create([a.uri, b.uri])
    await mapping.start()

    for (let i = 2; i < 12; i++) {
      for (const server of [a, b]) {
        server.sockets.forEach(socket => { socket.resetAndDestroy() })

        await waitUntil(`${i} connections are accepted`, () => server.accepted >= i)
      }
    }

    expect(events).to.deep.equal(['mapped'])
    expect(mapping.status.failures).to.be.empty()
  })

  describe('servers that hang up after a minute', () => {
    interface Watched {
      /** How often a server has ended a connection */
      ended: number
      /** The fewest connections there were at once, as the servers saw it */
      fewest: number
      accepted(): number
      /** Time goes by, half a second at a time, and the network keeps up */
      pass(ms: number): Promise<void>
    }

    async function hangingUp (
      hosts: string[],
      holdTime: number,
      init: Partial<PublicMappingInit> = {}
    ): Promise<Watched & { events: string[]; lines: string[] }> {
      const clock = new HeldClock()
      const lines: string[] = []
      const log: any = Object.assign(
        (line: string) => { lines.push(line) },
        { error: () => {}, trace: () => {} }
      )
      const all: FakeServer[] = []
      const open = (): number => all.reduce((sum, { sockets }) => sum + sockets.size, 0)
      const watched = { ended: 0, fewest: Infinity }

      for (const host of hosts) {
        all.push(
          closeLater(
            await fakeServer(socket => {
              const timer = clock.setTimeout(() => {
                watched.ended++
                socket.resetAndDestroy()
              }, holdTime)
              socket.once('close', () => {
                timer.clear()
                watched.fewest = Math.min(watched.fewest, open())
              })
              answer(socket, () => mapped('11.0.0.1', 4001))
            }, host)
          )
        )
      }

      const { mapping, events } = await create(
        all.map(({ uri }) => uri),
        { clock, minReconnectInterval: 10_000, random: () => 0.5, ...init },
        { logger: { forComponent: () => log } }
      )
      await mapping.start()
      const accepted = (): number => all.reduce((sum, { accepted }) => sum + accepted, 0)

      return Object.assign(watched, {
        events,
        lines,
        accepted,
        pass: async (ms: number): Promise<void> => {
          for (let passed = 0; passed < ms; passed += 500) {
            clock.advance(500)

            for (let turn = 0; turn < 20; turn++) {
              await new Promise(resolve => { setImmediate(resolve) })
            }
          }
        }
      })
    }

    for (const hosts of [['127.0.0.1', '127.0.0.2'], ['127.0.0.1', '127.0.0.2', '127.0.0.3']]) {
      it(`renews ahead of their end, make before break: ${hosts.length} servers`, async function () {
        this.timeout(60_000)
        let draws = 0
        const watched = await hangingUp(hosts, 60_000, { random: () => (draws++ * 0.37) % 1 })

        // each server ends two connections before its hold time is known
        await watched.pass(10 * 60_000)
        expect(watched.ended).to.be.within(2, 2 * hosts.length)
        watched.ended = 0
        watched.fewest = Infinity
        const before = watched.accepted()
        await watched.pass(60 * 60_000)

        expect(watched.accepted() - before).to.be.within(120, 220)
        expect(watched.ended).to.equal(0)
        expect(watched.fewest).to.be.at.least(hosts.length > 2 ? 2 : 1)
        expect(watched.events).to.deep.equal(['mapped'])
      })
    }

    it('logs once that the connection to a single server cannot be renewed ahead of its end', async () => {
      const watched = await hangingUp(['127.0.0.1'], 60_000)
      await watched.pass(10 * 60_000)

      expect(watched.events).to.deep.equal(['mapped'])
      expect(watched.accepted()).to.be.within(10, 11)
      expect(watched.lines.filter(line => line.includes('only server'))).to.have.lengthOf(1)
    })

    it('never renews a connection whose server does not close any', async () => {
      const watched = await hangingUp(['127.0.0.1', '127.0.0.2'], 24 * 3_600_000)
      await watched.pass(60 * 60_000)

      expect(watched.accepted()).to.equal(2)
    })
  })

  it('holds the mapping with several endpoints of one server: its OTHER-ADDRESS', async () => {
    const clock = new HeldClock()
    const b = closeLater(await mapsTo('11.0.0.1', 4001))
    const a = closeLater(
      await stunServer(() => [
        ...mapped('11.0.0.1', 4001),
        { type: 'OTHER-ADDRESS', address: { host: b.host, port: b.port } }
      ])
    )
    const { mapping } = await create([a.uri], { clock, minReconnectInterval: 10_000 })
    await mapping.start()
    expect(b.accepted).to.equal(0)

    clock.advance(10_000)
    const status = await until(mapping, status => 'servers' in status && status.servers.length === 2)

    expect(status).to.have.deep.property('servers').with.members([a.uri, b.uri])
    expect(status.failures).to.be.empty()
    expect([a.accepted, b.accepted]).to.deep.equal([1, 1])
  })

  it('holds the mapping with several endpoints of one server: its addresses in the DNS', async () => {
    const a = closeLater(await mapsTo('11.0.0.1', 4001))
    const b = closeLater(
      await fakeServer(
        socket => { answer(socket, () => mapped('11.0.0.1', 4001)) },
        '127.0.0.2',
        a.port
      )
    )
    const dns = zoneDNS({ a: { 'stun.example': [a.host, b.host] } })
    const { mapping } = await create([`stun:stun.example:${a.port}`], { dns })
    await mapping.start()
    const status = await until(mapping, status => 'servers' in status && status.servers.length === 2)

    expect(status).to.include({ behaviour: 'endpoint-independent' })
    expect([a.accepted, b.accepted]).to.deep.equal([1, 1])
  })

  it('does not report a failure of an endpoint that was not configured', async () => {
    const gone = await mapsTo('11.0.0.1', 4001)
    await gone.close()
    const a = closeLater(
      await stunServer(() => [
        ...mapped('11.0.0.1', 4001),
        { type: 'OTHER-ADDRESS', address: { host: gone.host, port: gone.port } }
      ])
    )
    let failed: (() => void) | undefined
    const failure = new Promise<void>(resolve => { failed = resolve })
    const trace = (line: string): void => {
      if (line.includes('another endpoint')) {
        failed?.()
      }
    }
    const log: any = Object.assign(() => {}, { error: () => {}, trace })
    const { mapping, events } = await create([a.uri], {}, { logger: { forComponent: () => log } })
    await mapping.start()
    await failure

    expect(mapping.status.failures).to.be.empty()
    expect(events).to.deep.equal(['mapped'])
  })

  it('reports that two names are one server', async () => {
    const a = closeLater(await mapsTo('11.0.0.1', 4001))
    const { mapping } = await create([a.uri, `stun:localhost:${a.port}`], {
      dns: zoneDNS({ a: { localhost: [a.host] } })
    })
    await mapping.start()
    const status = await until(mapping, ({ failures }) => failures.length > 0)

    expect(external(status)).to.equal('/ip4/11.0.0.1/tcp/4001')
    expect(status.failures[0].error.message).to.include('connected already')
    expect(a.accepted).to.equal(1)
  })

  it('announces a new address with one event', async () => {
    let port = 4001
    const server = closeLater(await stunServer(() => mapped('11.0.0.1', port)))
    const { mapping, events } = await create([server.uri])
    await mapping.start()
    port = 4002
    server.sockets.forEach(socket => { socket.resetAndDestroy() })
    await until(mapping, status => external(status) === '/ip4/11.0.0.1/tcp/4002')

    expect(events).to.deep.equal(['mapped', 'changed'])
  })

  it('asks all servers again when one reports a new address: an address change in progress', async () => {
    let port = 4001
    const dead = new Set<net.Socket>()
    const a = closeLater(await stunServer(() => mapped('11.0.0.1', port)))
    const b = closeLater(await stunServer((request, socket) => {
      if (dead.has(socket)) {
        socket.resetAndDestroy()
      }

      return mapped('11.0.0.1', port)
    }))
    const { mapping, seen, events } = await create([a.uri, b.uri])
    await mapping.start()
    await until(mapping, status => 'servers' in status && status.servers.length === 2)
    port = 4002
    // the other connection is as dead, which shows when it is asked
    b.sockets.forEach(socket => { dead.add(socket) })
    a.sockets.forEach(socket => { socket.resetAndDestroy() })
    await until(mapping, status => external(status) === '/ip4/11.0.0.1/tcp/4002')

    expect(events).to.deep.equal(['mapped', 'changed'])
    expect(seen.map(({ state }) => state)).to.not.include('endpoint-dependent')
    expect(b.accepted).to.equal(2)
  })

  it('announces nothing where every server sees another address', async () => {
    const servers = await Promise.all([4001, 4002, 4003].map(async port => closeLater(await mapsTo('11.0.0.1', port))))
    const { mapping, seen, events } = await create(servers.map(({ uri }) => uri))
    const status = await mapping.start()

    expect(status).to.have.property('state', 'endpoint-dependent')
    expect(status).to.have.property('addresses').with.property('length').that.is.at.least(2)
    expect(seen.map(external).filter(address => address != null)).to.be.empty()
    expect(events).to.deep.equal(['lost'])
  })

  it('detects that however fast the clock goes', async () => {
    let time = Date.now()
    const clock: Clock = { ...systemClock, now: () => time++ }
    const servers = await Promise.all([4001, 4002, 4003].map(async port => closeLater(await mapsTo('11.0.0.1', port))))
    const { mapping } = await create(servers.map(({ uri }) => uri), { clock })

    expect(await mapping.start({ signal: AbortSignal.timeout(10_000) })).to.have.property('state', 'endpoint-dependent')
  })

  it('keeps the address that connections support when a server begins to report another one, and accepts that server ' +
    'again when it agrees', async () => {
    let differs = false
    const a = closeLater(await mapsTo('11.0.0.1', 4001))
    const b = closeLater(await stunServer(() => mapped('11.0.0.1', differs ? 4002 : 4001)))
    const { mapping, events } = await create([a.uri, b.uri])
    await mapping.start()
    differs = true
    b.sockets.forEach(socket => { socket.resetAndDestroy() })
    const { failures } = await until(mapping, ({ failures }) => failures.length > 0)
    expect(failures.map(({ server, error }) => [server, error.name])).to.deep.equal([[b.uri, 'DisagreeingServerError']])

    differs = false
    await until(mapping, ({ failures }) => failures.length === 0)
    expect(events).to.deep.equal(['mapped'])
  })

  it('takes the first answer on a connection as its address, and reports that a server contradicts it', async () => {
    let port = 4001
    const server = closeLater(await stunServer(() => mapped('11.0.0.1', port)))
    const { mapping, events } = await create([server.uri], { keepAliveInterval: 50 })
    await mapping.start()
    port = 4002
    const status = await until(mapping, ({ failures }) => failures.length > 0)

    expect(status.failures[0].error.name).to.equal('ContradictoryServerError')
    expect(external(status)).to.equal('/ip4/11.0.0.1/tcp/4001')
    expect(events).to.deep.equal(['mapped'])
    expect(server.accepted).to.equal(1)
  })

  it('keeps alive more often behind a NAT that forgets, and tells so in the status', async () => {
    const clock = new HeldClock()
    let port = 4001
    const server = closeLater(await stunServer(() => mapped('11.0.0.1', port)))
    const { mapping } = await create([server.uri], { clock, keepAliveInterval: 15_000 })
    expect(await mapping.start()).to.include({ keepAliveInterval: 15_000 })

    for (const keepAliveInterval of [7_500, 5_000, 5_000]) {
      const before = mapping.status.keepAliveInterval
      const suffix = `/${++port}`
      // the probe of the kernel gets a reset from the server, which does not know the new address
      clock.advance(before)
      server.sockets.forEach(socket => { socket.resetAndDestroy() })
      await until(mapping, status => external(status)?.endsWith(suffix) === true)
      expect(mapping.status.keepAliveInterval).to.equal(keepAliveInterval)
    }
  })

  it('is lost two intervals after the last answer, and comes back', async () => {
    let gone = false
    const server = closeLater(await stunServer((request, socket) => {
      if (gone) {
        socket.resetAndDestroy()
      }

      return mapped('11.0.0.1', 4001)
    }))
    const { mapping, events } = await create([server.uri], { keepAliveInterval: 50 })
    await mapping.start()
    gone = true
    const lost = await until(mapping, ({ state }) => state === 'lost')
    expect(lost).to.have.nested.property('reason.name', 'STUNConnectionError')
    gone = false
    await until(mapping, ({ state }) => state === 'mapped')

    expect(events).to.deep.equal(['mapped', 'lost', 'mapped'])
  })

  it('keeps the address while a connection from the port holds the mapping', async () => {
    let held = true
    let gone = false
    const failed = new EventTarget()
    let failures = 0
    const server = closeLater(await stunServer((request, socket) => {
      if (gone) {
        failures++
        failed.dispatchEvent(new Event(`failure-${failures}`))
        socket.resetAndDestroy()
      }

      return mapped('11.0.0.1', 4001)
    }))
    const { mapping, events } = await create([server.uri], { keepAliveInterval: 20, isHeld: () => held })
    await mapping.start()
    const manyFailures = pEvent(failed, 'failure-3', EVENT)
    gone = true
    await manyFailures
    expect(events).to.deep.equal(['mapped'])
    held = false
    await until(mapping, ({ state }) => state === 'lost')
  })

  for (const [title, { error, create: createServer }] of Object.entries(HOSTILE)) {
    it(`announces nothing from a server that ${title}: ${error}`, async () => {
      const server = closeLater(await createServer())
      const clock = new HeldClock()
      const { mapping, seen } = await create([server.uri], title === 'is silent' ? { clock } : {})
      const started = mapping.start()

      if (title === 'is silent') {
        // the connection is there, the answer never comes
        await waitUntil('the server has received the request', () => server.received > 0)
        clock.advance(5_000)
      }

      const status: any = await started
      expect(status.state).to.equal('lost')
      expect(status.reason.name).to.equal(error)
      expect(status.failures.map(({ server, error }: any) => [server, error.name])).to.deep.equal([[server.uri, error]])
      expect(seen.map(external).filter(address => address != null)).to.be.empty()
    })

    it(`works without a server that ${title}`, async () => {
      const bad = closeLater(await createServer())
      const good = closeLater(await mapsTo('11.0.0.9', 4009))
      const { mapping, seen } = await create([bad.uri, good.uri])

      expect(external(await mapping.start())).to.equal('/ip4/11.0.0.9/tcp/4009')
      expect(
        seen.map(external).filter(address => address != null && address !== '/ip4/11.0.0.9/tcp/4009')
      ).to.be.empty()
    })
  }

  describe('what peers see', () => {
    const SAME = { host: '11.0.0.1', port: 4001 }

    it('confirms the address of one server', async () => {
      const server = closeLater(await mapsTo('11.0.0.1', 4001))
      const { mapping, events } = await create([server.uri])
      expect(await mapping.start()).to.include({ state: 'mapped', behaviour: 'unknown' })

      mapping.observe('127.0.0.1', SAME)
      expect(mapping.status, 'the server\'s own host is no other endpoint').to.include({ behaviour: 'unknown' })
      mapping.observe('11.0.0.9', SAME)
      expect(mapping.status).to.include({ state: 'mapped', behaviour: 'endpoint-independent' })
      expect(events).to.deep.equal(['mapped'])
    })

    it('outweighs one server when three networks see another address and none sees the same', async () => {
      const server = closeLater(await mapsTo('11.0.0.1', 4001))
      const { mapping, events } = await create([server.uri])
      await mapping.start()

      for (const i of [1, 2]) {
        mapping.observe(`11.0.${i}.1`, { host: '11.0.0.1', port: 5_000 + i })
        // one network has one voice
        mapping.observe(`11.0.1.${i}`, { host: '11.0.0.1', port: 6_000 + i })
      }

      expect(mapping.status).to.have.property('state', 'mapped')
      mapping.observe('11.0.3.1', { host: '11.0.0.1', port: 5_003 })
      const status = await until(mapping, ({ state }) => state === 'endpoint-dependent')
      expect('peers' in status ? status.peers.map(({ host, external }) => `${host} ${external}`) : []).to.deep.equal([
        '11.0.2.1 /ip4/11.0.0.1/tcp/5002',
        '11.0.1.2 /ip4/11.0.0.1/tcp/6002',
        '11.0.3.1 /ip4/11.0.0.1/tcp/5003'
      ])

      mapping.observe('11.0.0.4', SAME)
      expect(mapping.status).to.include({ state: 'mapped', behaviour: 'endpoint-independent' })
      expect(events).to.deep.equal(['mapped', 'lost', 'mapped'])
    })

    it('does not outweigh two servers that agree', async () => {
      const servers = await Promise.all(
        ['127.0.0.1', '127.0.0.2'].map(async host => closeLater(await stunServer(() => mapped('11.0.0.1', 4001), host)))
      )
      const { mapping } = await create(servers.map(({ uri }) => uri))
      await mapping.start()

      for (let i = 1; i < 100; i++) {
        mapping.observe(`11.0.${i}.1`, { host: '11.0.0.2', port: i })
      }

      expect(mapping.status).to.include({ state: 'mapped', behaviour: 'endpoint-independent' })

      // nor when one of them is gone: what they have shown is still true
      await servers[0].close()
      await until(mapping, ({ failures }) => failures.length > 0)
      mapping.observe('11.0.100.1', { host: '11.0.0.2', port: 1 })
      expect(mapping.status).to.include({ state: 'mapped', behaviour: 'endpoint-independent' })
    })

    it('is forgotten when the address changes, and ignored when it cannot be dialled', async () => {
      let port = 4001
      const server = closeLater(await stunServer(() => mapped('11.0.0.1', port)))
      const clock = new HeldClock()
      const { mapping } = await create([server.uri], { clock, random: () => 0.5 })
      await mapping.start()

      for (const host of ['192.168.1.2', '127.0.0.1', '0.0.0.0', '2a00::1', 'example.org', '224.0.0.1']) {
        mapping.observe(`11.0.${host.length}.1`, { host, port: 1 })
      }

      expect(mapping.status).to.have.property('state', 'mapped')

      expect(() => { mapping.observe('example.org', SAME) }).to.throw().with.property('name', 'InvalidParametersError')

      for (const i of [1, 2, 3]) {
        mapping.observe(`11.0.${i}.1`, SAME)
      }

      // the NAT was rebooted: those three have seen what was before
      port = 4002
      server.sockets.forEach(socket => { socket.resetAndDestroy() })
      expect(external(await until(mapping, status => external(status)?.endsWith('4002') === true))).to.equal(
        '/ip4/11.0.0.1/tcp/4002'
      )
    })
  })

  it('reports that there is no server, or none that can be used', async () => {
    const none = await create([])
    expect(await none.mapping.start()).to.have.nested.property('reason.name', 'NoSTUNServersError')

    const silent = async (): Promise<string> => {
      const server = await fakeServer(() => {})
      await server.close()

      return server.uri
    }
    const one = await create([await silent()])
    expect(await one.mapping.start()).to.have.nested.property('reason.name', 'STUNConnectionError')

    const several = await create([await silent(), await silent()])
    const status: any = await several.mapping.start()
    expect(status.reason.name).to.equal('AllServersFailedError')
    expect(status.reason.errors).to.have.lengthOf(2)
  })

  for (const uri of ['http://example.org', 'turn:example.org', 'stun.l.google.com:19302']) {
    it(`refuses the server ${uri} among good ones, and says what to write`, () => {
      expect(() => new PublicMapping({ listener: '127.0.0.1:4001', stunServers: ['stun:example.org', uri] }))
        .to.throw(`stunServers: Invalid STUN URI "${uri}"`)
        .with.property('name', 'InvalidParametersError')
    })
  }

  it('asks public servers unless others are named', () => {
    expect(DEFAULT_STUN_SERVERS).to.have.length.greaterThan(2)
    expect(() => new PublicMapping({ listener: '127.0.0.1:4001' })).to.not.throw()
  })

  it('rejects invalid options by name', async () => {
    for (const [name, values] of Object.entries({
      stunConnections: [0, -1, 1.5, NaN],
      keepAliveInterval: [0, -1, NaN, Infinity],
      minReconnectInterval: [-1, NaN]
    })) {
      for (const value of values) {
        expect(() => new PublicMapping({ listener: '127.0.0.1:1', stunServers: [], [name]: value }))
          .to.throw(Error, name)
          .with.property('name', 'InvalidParametersError')
      }
    }
  })

  for (const [init, words] of [
    [undefined, 'The options of PublicMapping must be an object'],
    [{ listener: '127.0.0.1:1', servers: [] }, 'There is no option servers, PublicMapping has'],
    [{ listener: '127.0.0.1:1', isHeld: true }, 'isHeld must be a function'],
    [{ listener: '127.0.0.1:1', stunServers: 'stun:example.org' }, 'stunServers must be a list'],
    [{ listener: '127.0.0.1:1', stunCredential: { username: 'a' } }, 'stunCredential must have']
  ] as const) {
    it(`refuses ${JSON.stringify(init)}`, () => {
      expect(() => new PublicMapping(init as any)).to.throw(words).with.property('name', 'InvalidParametersError')
    })
  }

  it('stops waiting when it is aborted, and goes on searching', async () => {
    let answer = false
    const server = closeLater(await stunServer(() => answer ? mapped('11.0.0.1', 4001) : undefined))
    const { mapping } = await create([server.uri])
    const controller = new AbortController()
    const started = mapping.start({ signal: controller.signal })
    controller.abort()
    await expect(started).to.eventually.be.rejected().with.property('name', 'AbortError')
    answer = true
    server.sockets.forEach(socket => { socket.resetAndDestroy() })
    await until(mapping, ({ state }) => state === 'mapped')
  })

  it('can be started again after it was stopped', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const { mapping, events } = await create([server.uri])

    for (let i = 1; i <= 3; i++) {
      expect(external(await mapping.start())).to.equal('/ip4/11.0.0.1/tcp/4001')
      expect(events).to.have.lengthOf(i)
      await mapping.stop()
      expect(mapping.status).to.include({ state: 'acquiring' })
      await waitUntil('its connections have ended', () => server.sockets.size === 0)
    }

    expect(new Set(events)).to.deep.equal(new Set(['mapped']))
  })

  it('leaves no connection and no timer behind when it is stopped, at any moment', async () => {
    const clock = new HeldClock()
    const silent = closeLater(await fakeServer(() => {}))
    const good = closeLater(await mapsTo('11.0.0.1', 4001))

    const early = await create([silent.uri, good.uri], { clock })
    const started = early.mapping.start()
    started.catch(() => {})
    await early.mapping.stop()
    await expect(started).to.eventually.be.rejected().with.property('name', 'NotStartedError')

    const late = await create([silent.uri, good.uri], { clock })
    const first = late.mapping.start()

    // the answer of one waits for that of the other
    await waitUntil('there is an address', () => {
      clock.advance(500)

      return late.mapping.status.state !== 'acquiring'
    })

    await first
    await late.mapping.stop()
    await late.mapping.stop()
    expect(late.mapping.status.state).to.equal('acquiring')

    await waitUntil('all connections have ended', () => silent.sockets.size + good.sockets.size === 0)

    expect(clock.pending).to.equal(0)
  })
})
