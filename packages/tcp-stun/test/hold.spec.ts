import { once } from 'node:events'
import net from 'node:net'
import { mock } from 'node:test'
import { expect } from 'aegir/chai'
import { PublicMapping } from 'libp2p-tcp-stun/mapping'
import { parseSTUNURI } from 'libp2p-tcp-stun/stun'
import { closesAfterEach } from '../../../test/fixtures/cleanup.ts'
import { HeldClock } from '../../../test/fixtures/held-clock.ts'
import { mapped, stunServer } from '../../../test/fixtures/stun-servers.ts'
import { askServers } from '../src/check/ask-servers.ts'
import { holdConnections } from '../src/check/hold.ts'
import type { FakeServer } from '../../../test/fixtures/stun-servers.ts'
import type { AskedServer } from '../src/check/ask-servers.ts'

/**
 * Longer than any interval, in s
 */
const LONG = 600

/**
 * How a connection to a server is kept alive
 */
interface Rhythm {
  /**
   * The time between two Binding requests, in s
   */
  requests: number

  /**
   * The idle times after which the kernel sends probes, in ms
   */
  probes: number[]
}

/**
 * `check --hold` promises how long a server keeps connections "as the transport holds
 * them". A server that ends idle connections only shows it by the same rhythm.
 */
describe('check --hold and the transport', () => {
  const { closeLater } = closesAfterEach()

  afterEach(() => {
    mock.timers.reset()
    mock.restoreAll()
  })

  async function server (): Promise<FakeServer & { requests: number }> {
    const fake = Object.assign(await stunServer(() => {
      fake.requests++

      return mapped('11.0.0.1', 4001)
    }), { requests: 0 })

    return closeLater(fake)
  }

  /**
   * The seconds until the server is asked again
   */
  async function untilAsked (fake: { requests: number }, pass: () => void): Promise<number> {
    const before = fake.requests

    for (let seconds = 1; seconds <= LONG; seconds++) {
      pass()

      for (let turn = 0; turn < 20; turn++) {
        await new Promise(resolve => { setImmediate(resolve) })
      }

      if (fake.requests > before) {
        return seconds
      }
    }

    throw new Error(`Not asked again within ${LONG} s`)
  }

  function recordProbes (): () => number[] {
    const recorded = mock.method(net.Socket.prototype, 'setKeepAlive')

    return () => recorded.mock.calls.map(({ arguments: [, delay] }) => delay ?? 0)
  }

  async function rhythmOfTransport (): Promise<Rhythm> {
    const fake = await server()
    const clock = new HeldClock()
    const probes = recordProbes()
    const listener = closeLater(net.createServer())
    listener.listen({ host: '127.0.0.1', port: 0, reusePort: true })
    await once(listener, 'listening')
    const mapping = closeLater(new PublicMapping({
      listener, stunServers: [fake.uri], clock, random: () => 0.5
    }))
    await mapping.start()
    const requests = await untilAsked(fake, () => { clock.advance(1_000) })

    return { requests, probes: probes() }
  }

  async function rhythmOfCheck (): Promise<Rhythm> {
    const fake = await server()
    const probes = recordProbes()
    const asked: AskedServer[] = []
    const controller = new AbortController()
    await askServers([parseSTUNURI(fake.uri)], 1, {
      local: { host: '127.0.0.1', port: 0 },
      allowPrivate: true,
      signal: controller.signal,
      onAnswer: server => { asked.push(server) },
      onFailure: ({ error }) => { throw error }
    })
    mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
    const held = holdConnections(asked, 1_000 * LONG, controller.signal, () => {})
    const requests = await untilAsked(fake, () => { mock.timers.tick(1_000) })
    controller.abort()
    await held
    asked.forEach(({ client }) => { client.close() })

    return { requests, probes: probes() }
  }

  it('keep connections alive in the same rhythm', async () => {
    const transport = await rhythmOfTransport()
    mock.restoreAll()
    const check = await rhythmOfCheck()

    expect(transport.requests).to.be.above(1)
    expect(transport.probes).to.not.be.empty()
    expect(check).to.deep.equal(transport)
  })
})
