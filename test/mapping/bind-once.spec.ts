import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { PublicMapping } from '../../src/mapping/index.ts'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { mapped, stunServer } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { PublicMappingInit } from '../../src/mapping/index.ts'
import type { FakeServer } from '../fixtures/stun-servers.ts'

describe('a single Binding from a fresh port', () => {
  const { closeLater } = closesAfterEach()

  async function start (
    servers: FakeServer[],
    init: Partial<PublicMappingInit> = {}
  ): Promise<{ mapping: PublicMapping, port: number }> {
    const server = closeLater(net.createServer())
    const listening = pEvent(server, 'listening', { timeout: 5_000 })
    const { listen, port } = bindSocket({ host: '127.0.0.1', port: 0 })
    listen(server)
    await listening
    const mapping = closeLater(new PublicMapping({
      listener: { host: '127.0.0.1', port },
      stunServers: servers.map(({ uri }) => uri),
      minReconnectInterval: 0,
      ...init
    }))
    await mapping.start()

    return { mapping, port }
  }

  /**
   * Behind an endpoint-dependent NAT: each connection has the next port
   */
  async function dependent (count: number): Promise<FakeServer[]> {
    const ports = new WeakMap<net.Socket, number>()
    let last = 20_000

    return Promise.all(Array.from({ length: count }, async () => closeLater(await stunServer((_, socket) => {
      const port = ports.get(socket) ?? ++last
      ports.set(socket, port)

      return mapped('11.0.0.1', port)
    }))))
  }

  it('the connections of a mapping are samples already, one for each', async () => {
    const { mapping, port } = await start(await dependent(3))
    await waitUntil('three servers have answered', () => mapping.samples.length === 3)

    expect(mapping.samples.map(({ localPort, externalHost }) => ({ localPort, externalHost })))
      .to.deep.equal(Array(3).fill({ localPort: port, externalHost: '11.0.0.1' }))
    expect(mapping.samples.map(({ externalPort }) => externalPort)).to.have.members([20_001, 20_002, 20_003])
    expect(mapping.samples.every(({ at }) => at > 0 && at <= performance.now())).to.equal(true)
  })

  it('tells the ports, once the SYN has left calls back, and leaves no connection', async () => {
    const servers = await dependent(2)
    const { mapping, port } = await start(servers)
    await waitUntil('both servers have answered', () => mapping.samples.length === 2)
    const held = servers.map(({ sockets }) => sockets.size)
    const before = performance.now()
    let calls = 0
    const sample = await mapping.bindOnce({ onConnect: () => { calls++ } })

    expect(sample).to.include({ externalHost: '11.0.0.1', externalPort: 20_003 })
    expect(sample.localPort).to.be.above(0).and.to.not.equal(port)
    expect(sample.at).to.be.within(before, performance.now())
    expect(mapping.samples.at(-1)).to.deep.equal(sample)
    expect(calls).to.equal(1)
    await waitUntil('its connection is gone', () => servers.every(({ sockets }, i) => sockets.size === held[i]))
  })

  it('leaves alone servers that were connected to within minReconnectInterval', async () => {
    const servers = await dependent(2)
    const { mapping } = await start(servers, { minReconnectInterval: 60_000 })

    await expect(mapping.bindOnce()).to.eventually.be.rejected().with.property('name', 'NoServerAvailableError')
    expect(servers.map(({ accepted }) => accepted)).to.deep.equal([1, 1])
  })

  it('believes no private address', async () => {
    let host = '11.0.0.1'
    const { mapping } = await start([closeLater(await stunServer(() => mapped(host, 4_001)))])
    host = '192.168.1.2'

    await expect(mapping.bindOnce()).to.eventually.be.rejected().with.property('name', 'InvalidMappedAddressError')
    expect(mapping.samples.map(({ externalHost }) => externalHost)).to.deep.equal(['11.0.0.1'])
  })

  for (const [title, end, name] of [
    ['the signal is aborted', (controller: AbortController) => { controller.abort() }, 'AbortError'],
    [
      'the mapping is stopped',
      async (_: AbortController, mapping: PublicMapping) => { await mapping.stop() },
      'NotStartedError'
    ]
  ] as const) {
    it(`ends when ${title}, and leaves no connection`, async () => {
      let isSilent = false
      const server = closeLater(await stunServer(() => isSilent ? undefined : mapped('11.0.0.1', 1)))
      const { mapping } = await start([server])
      isSilent = true
      const accepted = server.accepted
      const controller = new AbortController()
      const result = mapping.bindOnce({ signal: controller.signal })
      result.catch(() => {})
      await waitUntil('the server has accepted it', () => server.accepted > accepted)
      await end(controller, mapping)

      await expect(result).to.eventually.be.rejected().with.property('name', name)
      await waitUntil('its connection is gone', () => server.sockets.size <= 1)
    })
  }
})
