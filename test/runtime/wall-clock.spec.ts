import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { PublicMapping } from '../../src/mapping/index.ts'
import { NetworkWatch } from '../../src/mapping/network-watch.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { createSTUNServer } from '../../src/server/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { rawClient } from '../fixtures/raw-client.ts'
import { mapped, mapsTo, stunServer } from '../fixtures/stun-servers.ts'

const HOUR = 3_600_000
const HOST = '127.0.0.1'

/**
 * Users and NTP set the wall clock. Each test runs after it was set back and after
 * it was set forth by an hour.
 */
describe('wall clock', () => {
  const { closeLater } = closesAfterEach()
  const { now } = Date

  function step (ms: number): void {
    Date.now = () => now() + ms
  }

  afterEach(() => {
    Date.now = now
  })

  for (const [name, ms] of [['back', -HOUR], ['forth', HOUR]] as const) {
    it(`set ${name}: the server answers clients that it knows, old connections and new ones`, async () => {
      const server = closeLater(createSTUNServer({ listen: [{ host: HOST, port: 0 }] }))
      await server.listen()
      const client = closeLater(await rawClient(server.addresses[0]))
      expect(await client.ask()).to.have.property('class', 'success')
      step(ms)
      expect(await client.ask()).to.have.property('class', 'success')
      const other = closeLater(await rawClient(server.addresses[0]))
      expect(await other.ask()).to.have.property('class', 'success')
      expect(server.counters.resets.rate).to.equal(0)
      expect(server.counters.refused).to.include({ rate: 0, address: 0 })
    })

    it(`set ${name}: a mapping connects again to a server that hangs up`, async () => {
      const listener = closeLater(net.createServer())
      const listening = pEvent(listener, 'listening', { timeout: 5_000 })
      listener.listen({ host: HOST, port: 0, reusePort: true })
      await listening
      const { port } = listener.address() as net.AddressInfo
      const events = new EventTarget()
      const server = closeLater(await stunServer(() => {
        events.dispatchEvent(new Event('asked'))
        return mapped('11.0.0.1', 4001)
      }))
      const mapping = closeLater(new PublicMapping({
        listener: { host: HOST, port },
        stunServers: [server.uri],
        keepAliveInterval: 500,
        minReconnectInterval: 50
      }))
      const seen: string[] = []
      mapping.addEventListener('status', ({ detail }) => { seen.push(detail.state) })
      await mapping.start({ signal: AbortSignal.timeout(5_000) })
      step(ms)
      const asked = pEvent(events, 'asked', { timeout: 5_000 })
      server.sockets.forEach(socket => { socket.destroy() })
      await asked

      expect(server.accepted).to.equal(2)
      expect(seen).to.not.include('lost')
    })

    it(`set ${name}: what is shown follows it`, async () => {
      step(ms)
      expect(systemClock.date()).to.be.closeTo(now() + ms, 1_000)
      const before = systemClock.now()
      step(-ms)
      expect(systemClock.now() - before).to.be.within(0, 1_000)
    })

    it(`set ${name}: a held connection stays, and so does the address`, async () => {
      const clock = new HeldClock()
      const server = closeLater(await mapsTo('11.0.0.1', 4001))
      const mapping = closeLater(
        new PublicMapping({ listener: { host: HOST, port: 4001 }, stunServers: [server.uri], clock })
      )
      const status = await mapping.start({ signal: AbortSignal.timeout(5_000) })
      expect(status).to.have.property('since', clock.date())
      clock.stepDate(ms)
      clock.advance(60_000)

      expect(mapping.status).to.equal(status)
      expect(server.accepted).to.equal(1)
    })
  }

  it('shows that Linux slept, since its monotonic clock stands still then', async () => {
    const clock = new HeldClock()
    const controller = new AbortController()
    const { promise, resolve } = Promise.withResolvers<number>()
    new NetworkWatch({
      clock,
      interval: 1_000,
      network: { localAddress: async () => HOST },
      routes: () => [],
      onMoved: () => {},
      onWake: resolve
    }).start(controller)
    clock.stepDate(HOUR)
    clock.advance(1_000)

    expect(await promise).to.equal(HOUR + 1_000)
    controller.abort()
  })
})
