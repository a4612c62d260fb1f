import { InvalidParametersError } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { natStatus, tcpSTUN } from '../../src/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { mapped, mapsTo, stunServer } from '../fixtures/stun-servers.ts'
import type { ListenerStatus, NATStatus, TCPSTUNInit } from '../../src/index.ts'
import type { Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const EVENT = { timeout: 10_000 }

describe('natStatus', () => {
  const { closing } = closesAfterEach()

  async function create (init: TCPSTUNInit, services: Record<string, any> = {}): Promise<Libp2p> {
    const node = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0'] },
      transports: [tcpSTUN(init)],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services
    })
    closing.push({ close: async () => node.stop() })

    return node
  }

  it('has the status of every listener, until it closes', async () => {
    const server = await mapsTo('11.0.0.1', 4001)
    closing.push(server)
    const reported: ListenerStatus[] = []
    const node = await create({ stunServers: [server.uri], onMappingChange: status => { reported.push(status) } })
    const status = natStatus(node)
    const ipv4 = status.listeners.find(({ listener }) => listener.toString().startsWith('/ip4/'))

    expect(status.listeners).to.have.lengthOf(2)
    expect(ipv4).to.include({ state: 'mapped', reachability: 'unknown' })
    expect(reported).to.deep.include(ipv4)

    const closed: Multiaddr[] = []
    status.addEventListener('close', ({ detail }) => { closed.push(detail) })
    await node.stop()
    expect(status.listeners).to.deep.equal([])
    expect(closed.map(String)).to.include(ipv4?.listener.toString())

    // started again, the same object goes on
    await node.start()
    expect(status.listeners).to.have.lengthOf(2)
    expect(natStatus(node)).to.equal(status)
  })

  it('tells each change', async () => {
    let port = 4001
    const server = await stunServer(() => mapped('11.0.0.1', port))
    closing.push(server)
    const node = await create({ stunServers: [server.uri], keepAliveInterval: 50, minReconnectInterval: 0 })
    const changed = pEvent<'status', CustomEvent<ListenerStatus>>(natStatus(node), 'status', {
      ...EVENT,
      filter: ({ detail }) => 'external' in detail && detail.external.toString() === '/ip4/11.0.0.1/tcp/4002'
    })
    port = 4002
    // the address of a connection cannot change
    server.sockets.forEach(socket => { socket.resetAndDestroy() })
    const { detail } = await changed

    expect(natStatus(node).listeners).to.deep.include(detail)
  })

  it('is there for services too, before the node listens', async () => {
    let status: NATStatus | undefined
    let listeners: number | undefined
    const node = await create({ stunServers: [] }, {
      app: (components: any) => {
        status = natStatus(components)
        listeners = status.listeners.length

        return {}
      }
    })

    expect(listeners).to.equal(0)
    expect(natStatus(node)).to.equal(status)
  })

  it('says so when the node has another transport', async () => {
    const node = await createLibp2p({ transports: [tcp()] })
    closing.push({ close: async () => node.stop() })

    expect(() => natStatus(node)).to.throw(InvalidParametersError, 'add it to `transports`')
  })
})
