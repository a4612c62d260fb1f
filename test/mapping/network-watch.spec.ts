import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { PublicMapping } from '../../src/mapping/index.ts'
import { NetworkWatch } from '../../src/mapping/network-watch.ts'
import { systemNetwork } from '../../src/runtime/network.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { mapsTo } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { Network } from '../../src/mapping/index.ts'

const turn = async (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

describe('network watch', () => {
  const { closeLater } = closesAfterEach()

  function watch (
    address: () => string | undefined
  ): { clock: HeldClock; seen: string[]; controller: AbortController } {
    const clock = new HeldClock()
    const seen: string[] = []
    const controller = new AbortController()

    new NetworkWatch({
      clock,
      interval: 1_000,
      network: { localAddress: async () => address() },
      routes: () => [{ remote: { host: '11.0.0.1', port: 3478 }, local: { host: '192.168.1.2', port: 4001 } }, {}],
      onMoved: (route, address) => { seen.push(`moved to ${address}`) },
      onWake: ms => { seen.push(`slept ${ms}`) }
    }).start(controller)

    return { clock, seen, controller }
  }

  it('reports a connection that would now leave from another address', async () => {
    let address: string | undefined = '192.168.1.2'
    const { clock, seen } = watch(() => address)
    clock.advance(1_000)
    await turn()
    expect(seen).to.be.empty()

    address = undefined
    clock.advance(1_000)
    await turn()
    expect(seen, 'no route is no other route').to.be.empty()

    address = '10.0.0.7'
    clock.advance(1_000)
    await turn()
    expect(seen).to.deep.equal(['moved to 10.0.0.7'])
  })

  it('reports a move only once when a new connection leaves from the old address again', async () => {
    const LOCAL = '192.168.1.2'
    const PROBED = '10.0.0.7'
    const clock = new HeldClock()
    const seen: string[] = []
    let routes = [3478, 3479].map(port => ({ remote: { host: '11.0.0.1', port }, local: { host: LOCAL, port: 4001 } }))
    let address = PROBED
    const controller = new AbortController()
    new NetworkWatch({
      clock,
      interval: 1_000,
      network: { localAddress: async () => address },
      routes: () => routes,
      onMoved: ({ remote }, address) => { seen.push(`${remote.host}:${remote.port} ${address}`) },
      onWake: () => {}
    }).start(controller)

    const checks = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        clock.advance(1_000)
        await turn()
      }
    }

    await checks(10)
    expect(seen).to.deep.equal([`11.0.0.1:3478 ${PROBED}`, `11.0.0.1:3479 ${PROBED}`])

    // nor for another server
    routes = [{ remote: { host: '11.0.0.3', port: 3478 }, local: { host: LOCAL, port: 4001 } }]
    await checks(10)
    expect(seen).to.have.lengthOf(2)

    // but other addresses are another move, and one that a connection makes is believed again
    for (const to of ['10.0.0.8', LOCAL, '10.0.0.8', LOCAL]) {
      address = to
      await checks(1)
      routes = [{ remote: { host: '11.0.0.3', port: 3478 }, local: { host: to, port: 4001 } }]
      await checks(3)
    }

    expect(seen.slice(2)).to.deep.equal([
      '11.0.0.3:3478 10.0.0.8',
      `11.0.0.3:3478 ${LOCAL}`,
      '11.0.0.3:3478 10.0.0.8',
      `11.0.0.3:3478 ${LOCAL}`
    ])
    controller.abort()
  })

  it('notices that the machine slept', async () => {
    const { clock, seen } = watch(() => '192.168.1.2')
    // the timer fires late: the held clock fires in time, so its time jumps
    const now = clock.now.bind(clock)
    clock.now = () => now() + 3_600_000
    clock.advance(1_000)
    await turn()
    expect(seen).to.deep.equal(['slept 3601000'])

    clock.advance(1_000)
    await turn()
    expect(seen).to.have.lengthOf(1)
  })

  it('stops when it is aborted', async () => {
    const { clock, controller } = watch(() => '10.0.0.7')
    expect(clock.pending).to.equal(1)
    controller.abort()
    expect(clock.pending).to.equal(0)

    const late = watch(() => '10.0.0.7')
    late.clock.advance(1_000)
    late.controller.abort()
    await turn()
    expect(late.seen).to.be.empty()
    expect(late.clock.pending).to.equal(0)
  })

  it('replaces connections that leave from an old address', async () => {
    const server = closeLater(net.createServer())
    const listening = pEvent(server, 'listening')
    server.listen({ host: '0.0.0.0', port: 0, reusePort: true })
    await listening
    const clock = new HeldClock()
    let address = '127.0.0.1'
    const network: Network = { localAddress: async () => address }
    const stun = closeLater(await mapsTo('11.0.0.1', 4001))
    const mapping = closeLater(
      new PublicMapping({
        listener: server,
        stunServers: [stun.uri],
        minReconnectInterval: 0,
        clock,
        network
      })
    )
    const events: string[] = []
    mapping.addEventListener('changed', () => { events.push('changed') })
    mapping.addEventListener('lost', () => { events.push('lost') })
    await mapping.start()
    const [first] = stun.sockets
    address = '127.0.0.2'
    clock.advance(15_000)
    await pEvent(first, 'close', { rejectionEvents: [], timeout: 5_000 })
    address = '127.0.0.1'

    await waitUntil('the server is asked again', () => stun.accepted >= 2)

    expect(events).to.be.empty()
  })

  it('asks the system for the local address', async () => {
    expect(await systemNetwork.localAddress({ host: '127.0.0.1', port: 1 })).to.equal('127.0.0.1')
    expect(await systemNetwork.localAddress({ host: '::1', port: 1 })).to.equal('::1')
  })
})
