import { expect } from 'aegir/chai'
import { requestInterval } from '../../../src/mapping/index.ts'
import { DEFAULT_DRAIN_DEADLINE } from '../../../src/server/options.ts'
import { getAttribute } from '../../../src/stun/message.ts'
import { onLoopback } from '../../../test/fixtures/on-loopback.ts'
import { createSTUNServer } from '../src/server/index.ts'

/**
 * Clients ask until they hear that the server drains
 */
const UNLIMITED = { maxRequestsPerSecond: 1_000_000 }

describe('tcp-stun server, draining', () => {
  const { connect, start } = onLoopback(createSTUNServer)

  const alternate = { host: '11.0.0.9', port: 3_478 }

  for (const workers of [0, 2]) {
    it(`sends clients to the alternate server, and ends with the last one: ${workers} workers`, async () => {
      const server = await start({
        ...UNLIMITED,
        workers,
        alternateServers: [{ host: '2a00::9', port: 1 }, alternate]
      })
      const [address] = server.addresses
      const clients = await Promise.all([1, 2, 3, 4].map(async () => connect(address)))
      await Promise.all(clients.map(async client => client.ask()))
      const drained = server.drain({ deadline: 60_000 })
      expect(server.state).to.equal('draining')

      for (const client of clients) {
        let message = await client.ask()

        // a worker drains as soon as it is told
        while (message.class === 'success') {
          message = await client.ask()
        }

        expect(getAttribute(message, 'ERROR-CODE')?.code).to.equal(300)
        expect(getAttribute(message, 'ALTERNATE-SERVER')?.address).to.deep.equal(alternate)
        client.socket.end()
      }

      await drained
      expect(server.state).to.equal('idle')
      expect(server.counters).to.have.nested.property('errors.300', 4)
      await expect(connect(address)).to.eventually.be.rejected().with.property('code', 'ECONNREFUSED')
    })
  }

  it('without an alternate server: answers as always, accepts nobody, resets clients at the deadline', async () => {
    const server = await start({ alternateServers: [{ host: '2a00::9', port: 1 }] })
    const [address] = server.addresses
    const client = await connect(address)
    await client.ask()
    const drained = server.drain({ deadline: 200 })
    expect((await client.ask()).class).to.equal('success')
    await expect(connect(address)).to.eventually.be.rejected().with.property('code', 'ECONNREFUSED')
    expect(await client.closed).to.equal('ECONNRESET')
    await drained
    expect(server.counters.resets.closed).to.equal(1)
  })

  for (const workers of [0, 1]) {
    for (const deadline of [Infinity, 0x7fffffff]) {
      it(`waits for its clients with a deadline of ${deadline} ms: ${workers} workers`, async () => {
        const server = await start({ ...UNLIMITED, workers, alternateServers: [alternate] })
        const client = await connect(server.addresses[0])
        await client.ask()
        const drained = server.drain({ deadline })

        while ((await client.ask()).class === 'success') {
          // a worker drains as soon as it is told
        }

        expect((await client.ask()).class).to.equal('error')
        client.socket.end()
        await drained
        expect(server.counters.resets.closed).to.equal(0)
      })
    }

    for (const deadline of [-1, NaN]) {
      it(`refuses a deadline of ${deadline} ms: ${workers} workers`, async () => {
        const server = await start({ workers })

        await expect(server.drain({ deadline })).to.eventually.be.rejectedWith('deadline')
          .with.property('name', 'InvalidParametersError')
        expect(server.state).to.equal('listening')
      })
    }
  }

  it('ends at once when it is aborted', async () => {
    const server = await start()
    const client = await connect(server.addresses[0])
    await client.ask()
    const controller = new AbortController()
    const drained = server.drain({ deadline: 60_000, signal: controller.signal })
    controller.abort()
    await drained
    expect(await client.closed).to.equal('ECONNRESET')
  })

  it('waits longer by default than a client of this package takes between two requests', () => {
    expect(DEFAULT_DRAIN_DEADLINE).to.be.above(1.1 * requestInterval(15_000))
  })
})
