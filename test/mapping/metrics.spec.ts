import { defaultLogger } from '@libp2p/logger'
import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { expect } from 'aegir/chai'
import { PublicMapping } from '../../src/mapping/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { listenShared } from '../fixtures/listen-shared.ts'
import { scrape } from '../fixtures/scrape.ts'
import { mapped, mapsTo, stunServer } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { Metrics } from '@libp2p/interface'

const STATE = 'libp2p_tcp_stun_mapping_state_info'
const START = 'libp2p_tcp_stun_mapping_start_time_seconds'
const ROUND_TRIP = 'libp2p_tcp_stun_server_round_trip_seconds'

describe('mapping metrics', () => {
  const { closeLater } = closesAfterEach()
  let metrics: Metrics

  beforeEach(() => {
    metrics = prometheusMetrics({ collectDefaultMetrics: false })({ logger: defaultLogger() })
  })

  async function create (stunServers: string[]): Promise<{ mapping: PublicMapping, label: string }> {
    const { port } = closeLater(await listenShared())
    const label = `/ip4/127.0.0.1/tcp/${port}`
    const mapping = closeLater(
      new PublicMapping({ listener: label, stunServers, minReconnectInterval: 0 }, { metrics })
    )
    await mapping.start()

    return { mapping, label }
  }

  it('belong to every mapping, and end with it', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const [first, second] = [await create([server.uri]), await create([])]
    expect(await scrape(STATE)).to.deep.equal({ [first.label]: 1, [second.label]: 4 })
    expect(Object.keys(await scrape(START))).to.deep.equal([first.label])
    expect((await scrape(START))[first.label]).to.be.closeTo(Date.now() / 1_000, 60)
    expect(Object.keys(await scrape(ROUND_TRIP))).to.deep.equal([server.uri])

    await first.mapping.stop()
    expect(await scrape(STATE)).to.deep.equal({ [second.label]: 4 })
    expect(await scrape(START)).to.deep.equal({})
    expect(await scrape(ROUND_TRIP)).to.deep.equal({})

    // started again, on another port
    const third = await create([server.uri])
    await second.mapping.stop()
    expect(await scrape(STATE)).to.deep.equal({ [third.label]: 1 })
    expect(Object.keys(await scrape(START))).to.deep.equal([third.label])
  })

  it('have no label for what a server names as its OTHER-ADDRESS', async () => {
    const others = await Promise.all(
      ['127.0.0.2', '127.0.0.3'].map(async host => closeLater(await stunServer(() => mapped('11.0.0.1', 4001), host)))
    )
    let other = 0
    const server = closeLater(await stunServer(() => {
      const { host, port } = others[other++ % 2]

      return [...mapped('11.0.0.1', 4001), { type: 'OTHER-ADDRESS', address: { host, port } }]
    }))
    await create([server.uri])
    await waitUntil('another endpoint has answered', () => others.some(({ received }) => received > 0))
    others.forEach(({ sockets }) => { sockets.forEach(socket => { socket.write('garbage') }) })
    await waitUntil(
      'another endpoint has failed',
      async () => Object.keys(await scrape('libp2p_tcp_stun_server_failures_total')).length > 0
    )

    expect(Object.keys(await scrape(ROUND_TRIP))).to.deep.equal([server.uri])
    expect(Object.keys(await scrape('libp2p_tcp_stun_server_failures_total'))).to.satisfy((labels: string[]) =>
      labels.every(label => label.startsWith(`${server.uri} `))
    )
  })
})
