import { defaultLogger } from '@libp2p/logger'
import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { PublicMapping } from '../../src/mapping/index.ts'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { listenShared } from '../fixtures/listen-shared.ts'
import { scrape } from '../fixtures/scrape.ts'
import { mapsTo } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'

/**
 * A connection from an earlier run of the program that the system still knows. Here it
 * lives, which gives the same error as one in TIME_WAIT.
 */
describe('an earlier connection from the same port', () => {
  const { closeLater } = closesAfterEach()

  it('is named in the failure, and its server is tried again every 5 s', async () => {
    const clock = new HeldClock()
    const { port } = closeLater(await listenShared())
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const earlier = bindSocket({ host: '127.0.0.1', port }).connect(server)
    await pEvent(earlier, 'connect')
    const metrics = prometheusMetrics({ collectDefaultMetrics: false })({ logger: defaultLogger() })
    const failures = async (): Promise<number> =>
      (await scrape('libp2p_tcp_stun_server_failures_total'))[`${server.uri} STUNConnectionError`]
    const mapping = closeLater(new PublicMapping({
      listener: `127.0.0.1:${port}`,
      stunServers: [server.uri],
      clock
    }, { metrics }))
    const status = await mapping.start()
    expect(status.state).to.equal('lost')
    expect(status.failures[0].error).to.have.property('name', 'STUNConnectionError')
    expect(status.failures[0].error.message).to.include('an earlier connection is in TIME_WAIT, up to 60 s')

    for (let i = 1; i < 10; i++) {
      expect(await failures()).to.equal(i)
      clock.advance(4_999)
      expect(clock.due).to.equal(1)
      clock.advance(1)
      await waitUntil('it has failed again', async () => await failures() > i)
    }

    earlier.resetAndDestroy()
    await waitUntil('the earlier connection is gone', () => server.sockets.size === 0)
    const mapped = pEvent(mapping, 'mapped', { timeout: 5_000 })
    clock.advance(5_000)
    await mapped
  })

  it('does not delay the first address when there is another server', async () => {
    const { port } = closeLater(await listenShared())
    const servers = await Promise.all([1, 2].map(async () => closeLater(await mapsTo('11.0.0.1', 4001))))
    const earlier = bindSocket({ host: '127.0.0.1', port }).connect(servers[0])
    await pEvent(earlier, 'connect')
    closeLater({ close: () => { earlier.resetAndDestroy() } })
    const mapping = closeLater(new PublicMapping({
      listener: multiaddr(`/ip4/127.0.0.1/tcp/${port}`),
      stunServers: servers.map(({ uri }) => uri)
    }))

    expect(await mapping.start()).to.deep.include({ state: 'mapped', servers: [servers[1].uri] })
  })
})
