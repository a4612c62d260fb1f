import { defaultLogger } from '@libp2p/logger'
import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { register } from 'prom-client'
import { tcpSTUN } from '../../src/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components, plainUpgrader } from '../fixtures/components.ts'
import { scrape } from '../fixtures/scrape.ts'
import { mapsTo } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { PlainUpgrader } from '../fixtures/components.ts'
import type { Listener, Metrics, Transport } from '@libp2p/interface'

const STATE = 'libp2p_tcp_stun_listener_status_info'
const CONNECTIONS = 'libp2p_tcp_stun_inbound_connections_total'

describe('metrics of listeners', () => {
  const { closing, closeLater } = closesAfterEach()
  let metrics: Metrics

  beforeEach(() => {
    metrics = prometheusMetrics({ collectDefaultMetrics: false })({ logger: defaultLogger() })
  })

  async function listen (
    transport: Transport<any>,
    upgrader: PlainUpgrader = plainUpgrader(),
    address = '/ip4/127.0.0.1/tcp/0'
  ): Promise<{ listener: Listener; label: string; upgrader: PlainUpgrader }> {
    const listener = closeLater(transport.createListener({ upgrader }))
    await listener.listen(multiaddr(address))

    return { listener, upgrader, label: `${listener.getAddrs().at(-1)}` }
  }

  it('show each listener of each transport, from its start to its end', async () => {
    const [first, second] = [1, 2].map(() => tcpSTUN({ stunServers: [] })(components({ metrics })))
    const [a, b] = [await listen(first), await listen(first)]
    const c = await listen(second)
    expect(await scrape(STATE)).to.deep.equal({ [a.label]: 1, [b.label]: 1, [c.label]: 1 })

    const connection: any = await second.dial(multiaddr(b.label), {
      upgrader: plainUpgrader(),
      signal: AbortSignal.timeout(5_000)
    })
    closing.push({ close: () => connection.abort(new Error('done')) })
    await waitUntil('it is accepted', () => b.upgrader.inbound.length === 1)
    expect(await scrape(CONNECTIONS)).to.deep.equal({ [a.label]: 0, [b.label]: 1, [c.label]: 0 })

    await a.listener.close()
    expect(await scrape(STATE)).to.deep.equal({ [b.label]: 1, [c.label]: 1 })
    await b.listener.close()
    await c.listener.close()
    expect(await scrape(STATE)).to.deep.equal({})
    expect(await scrape(CONNECTIONS)).to.deep.equal({})
  })

  it('have one label for a listener, those of its mapping too', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const metricsOf = async (): Promise<string> => register.metrics()
    const transport = tcpSTUN({ stunServers: [server.uri] })(components({ metrics }))
    const { listener, upgrader, label } = await listen(transport)
    const path = `/unix/${encodeURIComponent(`/tmp/tcp-stun-metrics-${process.pid}.sock`)}`
    const unix = await listen(transport, plainUpgrader(), path)
    const connection: any = await transport.dial(multiaddr(label), {
      upgrader: plainUpgrader(),
      signal: AbortSignal.timeout(5_000)
    })
    await waitUntil('it is accepted', () => upgrader.inbound.length === 1)
    const closed = pEvent(upgrader.inbound[0], 'close', { timeout: 5_000 })
    connection.abort(new Error('done'))
    await closed

    const ours = (await metricsOf()).split('\n').filter(line => line.startsWith('libp2p_tcp_stun_'))
    const series = ours.map(line => /^(\w+)\{(\w+)="([^"]*)"\}/.exec(line)?.slice(1) ?? [line])
    const names = (value: string): string[] =>
      series.filter(([, name, of]) => name === 'listener' && of === value).map(([name]) => name)

    expect(names(label)).to.include.members([
      'libp2p_tcp_stun_listener_status_info',
      'libp2p_tcp_stun_inbound_connections_total',
      'libp2p_tcp_stun_listener_connection_total',
      'libp2p_tcp_stun_listener_end_total',
      'libp2p_tcp_stun_mapping_state_info',
      'libp2p_tcp_stun_mapping_start_time_seconds'
    ])
    expect(names(path)).to.include('libp2p_tcp_stun_listener_status_info')
    // under no other label, and in no other form
    const { value: port = '' } = multiaddr(label).getComponents()[1]
    expect(series.filter(([, name, value]) => value?.includes(port) && (name !== 'listener' || value !== label)))
      .to.deep.equal([])
    await Promise.all([listener.close(), unix.listener.close()])
  })

  it('show nothing before the listener listens', async () => {
    closeLater(tcpSTUN()(components({ metrics })).createListener({ upgrader: plainUpgrader() }))
    expect(await scrape(STATE)).to.deep.equal({})
    expect(await scrape(CONNECTIONS)).to.deep.equal({})
  })
})
