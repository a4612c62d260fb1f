import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindSocket } from '../../../src/net/bound-socket.ts'
import { DEFAULT_LIMITS } from '../../../src/server/limits.ts'
import { onLoopback } from '../../../test/fixtures/on-loopback.ts'
import { request } from '../../../test/fixtures/raw-client.ts'
import { recordErrors } from '../../../test/fixtures/record-errors.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { CalmAfterBurst } from '../src/server/calm-after-burst.ts'
import { EventForwarder } from '../src/server/event-forwarder.ts'
import { Heartbeats } from '../src/server/heartbeats.ts'
import { createSTUNServer } from '../src/server/index.ts'
import { MIN_MEMORY, shareLimits } from '../src/server/share-limits.ts'

const EVENT = { timeout: 20_000 }
const HOST = '127.0.0.1'

describe('tcp-stun server, workers', () => {
  const { closeLater, connect, start } = onLoopback(createSTUNServer)

  it('replaces a worker that dies, and loses only its connections', async () => {
    const server = await start({ workers: 2 })
    const [address] = server.addresses
    const clients = await Promise.all(Array.from({ length: 20 }, async () => connect(address)))
    await Promise.all(clients.map(async client => client.ask()))
    const pids = server.workers
    expect(pids).to.have.lengthOf(2)
    const counted = (): boolean => server.counters.connections === 20 && server.counters.bindings === 20

    // the workers tell in their own time
    await waitUntil('all clients are counted', counted)

    const exited = pEvent<'worker:exit', CustomEvent>(server, 'worker:exit', EVENT)
    const started = pEvent<'worker:start', CustomEvent>(server, 'worker:start', EVENT)
    process.kill(pids[0], 'SIGKILL')
    expect((await exited).detail).to.deep.equal({ pid: pids[0], cause: 'SIGKILL' })
    const left = server.counters.connections
    await started
    expect(server.workers).to.have.lengthOf(2).and.include(pids[1])
    expect(server.state).to.equal('listening')

    const alive = await Promise.all(
      clients.map(async client =>
        Promise.race([
          client.closed.then(() => false),
          client.ask().then(
            () => true,
            () => false
          )
        ])
      )
    )
    expect(alive.filter(Boolean)).to.have.lengthOf(left)
    expect(left).to.be.within(1, 19)
    // what it counted is not forgotten
    expect(server.counters.bindings).to.be.at.least(20)

    await (await connect(address)).ask()
  })

  it('logs once that another program takes connections from its port', async () => {
    const { log, errors } = recordErrors()
    const server = await start({ workers: 2, logger: { forComponent: () => log } })
    const [{ host, port }] = server.addresses
    // the kernel does not care whose process it is
    bindSocket({ host, port }).listen(closeLater(net.createServer()))
    await waitUntil('there is an error in the log', () => errors.length > 0)
    expect(errors).to.have.lengthOf(1)
    expect(errors[0]).to.include(`another program listens on port ${port} too`)
  })

  it('keeps the limits over all workers', async () => {
    const server = await start({ workers: 2, maxConnectionsPerAddress: 10 })
    const served = await Promise.all(
      Array.from({ length: 40 }, async () =>
        connect(server.addresses[0])
          .then(async client => client.ask())
          .then(
            () => true,
            () => false
          )
      )
    )

    expect(served.filter(Boolean).length).to.be.within(5, 10)
  })

  it('forwards events to listeners that were added before or after the start', async () => {
    const server = closeLater(
      createSTUNServer({ listen: [{ host: HOST, port: 0 }], workers: 2, maxConnectionsPerAddress: 4 })
    )
    const bound = pEvent<'binding', CustomEvent>(server, 'binding', EVENT)
    await server.listen()
    const [{ host, port }] = server.addresses

    const client = await connect({ host, port })
    await client.ask()
    expect((await bound).detail).to.deep.equal({
      client: { host: HOST, port: client.socket.localPort },
      server: { host, port },
      transport: 'tcp'
    })

    const reset = pEvent<'reset', CustomEvent>(server, 'reset', EVENT)
    const stranger = await connect({ host, port })
    const strangerPort = stranger.socket.localPort
    stranger.socket.write('GET / HTTP/1.1\r\n\r\n')
    expect((await reset).detail).to.deep.include({ client: { host: HOST, port: strangerPort }, reason: 'not-stun' })

    const refused = pEvent<'refuse', CustomEvent>(server, 'refuse', EVENT)
    // some are reset before they are there
    await Promise.allSettled(Array.from({ length: 9 }, async () => connect({ host, port, localAddress: '127.0.0.2' })))
    expect((await refused).detail).to.deep.equal({ host: '127.0.0.2', reason: 'address' })
  })

  it('forwards only events that have listeners', async () => {
    const server = await start()
    const passed: string[] = []
    const forwarder = new EventForwarder(server, (name, _, done) => {
      passed.push(name)
      done()
    })
    const ask = async (): Promise<void> => { await (await connect(server.addresses[0])).ask() }

    await ask()
    forwarder.forward(['reset'])
    await ask()
    expect(passed).to.deep.equal([])
    forwarder.forward(['binding', 'reset'])
    forwarder.forward(['binding', 'reset'])
    await ask()
    expect(passed).to.deep.equal(['binding'])
    forwarder.forward([])
    await ask()
    expect(passed).to.deep.equal(['binding'])
    expect(server.counters.bindings).to.equal(4)
  })

  it('drops events that come faster than they can be sent', async () => {
    const server = await start({ maxRequestsPerSecond: 10_000 })
    const dones: Array<() => void> = []
    new EventForwarder(server, (_, __, done) => { dones.push(done) }).forward(['binding'])
    const client = await connect(server.addresses[0])
    const ask = async (times: number): Promise<void> => {
      client.socket.write(Buffer.concat(Array.from({ length: times }, () => request())))

      for (let i = 0; i < times; i++) {
        await client.next()
      }
    }

    await ask(1_500)
    expect(dones).to.have.lengthOf(1_000)
    dones.forEach(done => { done() })
    await ask(1)
    expect(dones).to.have.lengthOf(1_001)
    expect(server.counters.bindings).to.equal(1_501)
  })

  it('reports EADDRINUSE', async () => {
    const server = await start({ workers: 1 })
    const second = createSTUNServer({ workers: 1, listen: [server.addresses[0]] })

    await expect(second.listen()).to.eventually.be.rejected().with.property('code', 'EADDRINUSE')
    expect(second.state).to.equal('idle')
  })

  it('replaces a worker that is stopped', async () => {
    const server = await start({ workers: 2 })
    const [stopped] = server.workers
    const exited = pEvent<'worker:exit', CustomEvent>(server, 'worker:exit', EVENT)
    const started = pEvent<'worker:start', CustomEvent>(server, 'worker:start', EVENT)
    process.kill(stopped, 'SIGSTOP')

    expect((await exited).detail).to.deep.equal({ pid: stopped, cause: 'SIGKILL' })
    await started
    expect(server.workers).to.have.lengthOf(2)
    await Promise.all(Array.from({ length: 20 }, async () => (await connect(server.addresses[0])).ask()))
  })

  it('judges a worker by its heartbeats, unless this process has not run either', () => {
    const heartbeats = new Heartbeats(1_000, 0)
    const live = { state: 'serving' as const, heardAt: 0 }
    const silent = { state: 'serving' as const, heardAt: 0 }
    const starting = { state: 'starting' as const, heardAt: 0 }
    const found: number[] = []

    for (let now = 1_000; now <= 40_000; now += 1_000) {
      live.heardAt = now - 500

      if (heartbeats.findSilent([live, silent], now).includes(silent)) {
        found.push(now)
      }

      expect(heartbeats.findSilent([live, starting], now)).to.have.lengthOf(now > 30_000 ? 1 : 0)
    }

    expect(found[0]).to.equal(6_000)
    // the machine slept for an hour: all have been silent
    expect(heartbeats.findSilent([live, silent], 3_600_000)).to.deep.equal([])
    expect(heartbeats.findSilent([live, silent], 3_601_000)).to.deep.equal([])
  })

  for (const { title, accepted, expected } of [
    { title: 'without connections', accepted: () => 0, expected: [] },
    { title: 'with few connections', accepted: (s: number) => s, expected: [] },
    { title: 'with connections all the time', accepted: (s: number) => 1_000 * s, expected: [] },
    { title: 'after a burst, once', accepted: (s: number) => Math.min(12_000, 1_000 * s), expected: [30] },
    {
      title: 'after each burst, with few connections in between',
      accepted: (s: number) => s + (s >= 5 ? 2_000 : 0) + (s >= 45 ? 2_000 : 0),
      expected: [20, 60]
    }
  ]) {
    it(`collects garbage ${title}: ${expected.length} times`, () => {
      const burst = new CalmAfterBurst()
      const ended = Array.from({ length: 100 }, (_, s) => s + 1).filter(s => burst.hasEnded(accepted(s), s * 1_000))

      expect(ended).to.deep.equal(expected)
    })
  }

  it('gives the clients of each worker memory, however many workers there are', async () => {
    expect(shareLimits(DEFAULT_LIMITS, 16).maxMemory).to.equal(MIN_MEMORY)
    expect(shareLimits(DEFAULT_LIMITS, 4).maxMemory).to.equal(DEFAULT_LIMITS.maxMemory / 4)

    // far less than the processes need at rest
    const server = await start({ workers: 2, maxMemory: 64 * 1024 * 1024 })
    await Promise.all(Array.from({ length: 30 }, async () => (await connect(server.addresses[0])).ask()))
    expect(server.counters.refused.memory).to.equal(0)
    expect(server.state).to.equal('listening')
  })

  for (const end of ['close', 'drain'] as const) {
    it(`rejects listen() when ${end}() is called at once`, async () => {
      const server = closeLater(createSTUNServer({ listen: [{ host: HOST, port: 0 }], workers: 1 }))
      const listening = server.listen()
      await Promise.all([
        server[end](),
        expect(listening).to.eventually.be.rejected().with.property('name', 'AbortError')
      ])

      expect(server.state).to.equal('idle')
      expect(server.addresses).to.be.empty()
    })
  }
})
