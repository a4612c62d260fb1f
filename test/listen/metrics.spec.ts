import { defaultLogger } from '@libp2p/logger'
import { prometheusMetrics } from '@libp2p/prometheus-metrics'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { tcpSTUN } from '../../src/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components, plainUpgrader } from '../fixtures/components.ts'
import { scrape } from '../fixtures/scrape.ts'
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

    return { listener, upgrader, label: `127.0.0.1:${listener.getAddrs().at(-1)?.getComponents()[1].value}` }
  }

  it('show each listener of each transport, from its start to its end', async () => {
    const [first, second] = [1, 2].map(() => tcpSTUN({ stunServers: [] })(components({ metrics })))
    const [a, b] = [await listen(first), await listen(first)]
    const c = await listen(second)
    expect(await scrape(STATE)).to.deep.equal({ [a.label]: 1, [b.label]: 1, [c.label]: 1 })

    const connection: any = await second.dial(multiaddr(`/ip4/127.0.0.1/tcp/${b.label.split(':')[1]}`), {
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

  it('show nothing before the listener listens', async () => {
    closeLater(tcpSTUN()(components({ metrics })).createListener({ upgrader: plainUpgrader() }))
    expect(await scrape(STATE)).to.deep.equal({})
    expect(await scrape(CONNECTIONS)).to.deep.equal({})
  })
})
