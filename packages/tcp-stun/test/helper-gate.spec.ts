import net from 'node:net'
import { expect } from 'aegir/chai'
import { HeldClock } from '../../../test/fixtures/held-clock.ts'
import { LightPeer } from '../../../test/fixtures/light-peer.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { HandshakeQueue } from '../src/helper/handshake-queue.ts'
import { startHelper } from '../src/helper/helper.ts'
import { KnownHosts } from '../src/helper/known-hosts.ts'
import type { Helper, HelperInit } from '../src/helper/options.ts'

const LOOPBACK = [{ host: '127.0.0.1', port: 0 }]

describe('the queue of handshakes', () => {
  const { signal } = new AbortController()
  let clock: HeldClock
  let log: string[]

  beforeEach(() => {
    clock = new HeldClock()
    log = []
  })

  function create (gap: number, maxWaiting = 100): (host: string, signal?: AbortSignal) => void {
    const queue = new HandshakeQueue({ clock, gap: () => gap, maxWaiting })

    return (host, gone = signal) => {
      void queue.enter(host, gone).then(mayStart => { log.push(`${mayStart ? 'start' : 'refuse'} ${host}`) })
    }
  }

  /**
   * What has happened by now
   */
  async function take (): Promise<string[]> {
    await new Promise(resolve => setImmediate(resolve))

    return log.splice(0)
  }

  it('lets everybody begin at once while the helper has time', async () => {
    const enter = create(0)
    enter('11.0.0.1')
    enter('11.0.0.2')

    expect(await take()).to.deep.equal(['start 11.0.0.1', 'start 11.0.0.2'])
  })

  it('lets one begin after the other, and each network has its turn', async () => {
    const enter = create(25)
    const hosts = ['11.0.0.1', '11.0.0.2', '11.0.0.3', '11.0.1.1', '2a00::1', '2a00:0:0:1::1', '11.0.1.2']
    hosts.forEach(host => { enter(host) })
    expect(await take()).to.deep.equal(['start 11.0.0.1'])

    clock.advance(24)
    expect(await take()).to.deep.equal([])
    clock.advance(1)
    expect(await take()).to.deep.equal(['start 11.0.0.2'])
    clock.advance(5 * 25)
    expect(await take()).to.deep.equal([
      'start 11.0.1.1', 'start 2a00::1', 'start 11.0.0.3', 'start 11.0.1.2', 'start 2a00:0:0:1::1'
    ])
  })

  it('refuses the network that has most in the queue when it is full', async () => {
    const enter = create(25, 3)
    const hosts = ['11.0.0.1', '11.0.0.2', '11.0.0.3', '11.0.1.1', '11.0.0.4', '11.0.2.1', '11.0.2.2']
    hosts.forEach(host => { enter(host) })

    expect(await take()).to.have.members(['start 11.0.0.1', 'refuse 11.0.0.4', 'refuse 11.0.0.3', 'refuse 11.0.2.2'])
    clock.advance(3 * 25)
    expect(await take()).to.deep.equal(['start 11.0.0.2', 'start 11.0.1.1', 'start 11.0.2.1'])
  })

  it('refuses those that have waited for too long, and forgets those that have left', async () => {
    const enter = create(10_000)
    const left = new AbortController()
    enter('11.0.0.1')
    enter('11.0.0.2')
    enter('11.0.0.3', left.signal)
    left.abort()
    expect(await take()).to.deep.equal(['start 11.0.0.1', 'refuse 11.0.0.3'])

    clock.advance(4_000)
    expect(await take()).to.deep.equal(['refuse 11.0.0.2'])
  })
})

describe('the homes that are known', () => {
  it('are the latest ones', () => {
    const known = new KnownHosts(2)
    known.add('11.0.0.1')
    known.add('2a00::1')
    known.add('11.0.0.1')
    known.add('11.0.0.2')

    expect(['11.0.0.1', '11.0.0.2', '2a00::1', '11.0.0.3'].filter(host => known.has(host)))
      .to.deep.equal(['11.0.0.1', '11.0.0.2'])
  })

  it('have an IPv4 address or an IPv6 /64', () => {
    const known = new KnownHosts(2)
    known.add('11.0.0.1')
    known.add('2a00::1')

    expect(['11.0.0.2', '2a00::2', '2a00:0:0:1::1'].filter(host => known.has(host))).to.deep.equal(['2a00::2'])
  })
})

describe('the gate of a helper', () => {
  const peers: LightPeer[] = []
  let helper: Helper
  let port: number

  afterEach(async () => {
    peers.splice(0).forEach(peer => { peer.reset() })
    await helper.close()
  })

  async function start (init: HelperInit): Promise<void> {
    helper = await startHelper({ listen: LOOPBACK, stunListen: LOOPBACK, ...init })
    port = Number(helper.node.getMultiaddrs()[0].getComponents()[1].value)
  }

  async function connect (localAddress: string): Promise<LightPeer> {
    const peer = await LightPeer.connect({ host: '127.0.0.1', port, localAddress, signal: AbortSignal.timeout(20_000) })
    peers.push(peer)

    return peer
  }

  it('lists its connections as libp2p does', async () => {
    await start({})
    await Promise.all([1, 2, 3].map(async i => connect(`127.0.1.${i}`)))
    await waitUntil('all are connected', () => helper.node.getConnections().length === 3)
    const [{ remotePeer }] = helper.node.getConnections()

    expect(helper.node.getConnections(remotePeer)).to.deep.equal([helper.node.getConnections()[0]])
    expect(new Set(helper.node.getPeers().map(String))).to.deep.equal(new Set(peers.map(({ id }) => id.toString())))
  })

  it('limits the connections of one address, but not those of a load balancer', async () => {
    await start({ maxPeersPerAddress: 1, trustedProxies: ['127.0.2.0/24'] })
    await Promise.all(Array.from({ length: 8 }, async () => connect('127.0.1.1')))

    await expect(connect('127.0.1.1')).to.eventually.be.rejected()
    expect(helper.refusedConnections).to.include({ address: 1 })
    await connect('127.0.1.2')
    await Promise.all(Array.from({ length: 9 }, async () => connect('127.0.2.1')))

    // a place is free again
    peers[0].reset()
    await waitUntil('it has left', () => helper.node.getConnections().length === 17)
    await connect('127.0.1.1')
  })

  it('limits the new connections of one address a second', async () => {
    await start({ maxPeersPerAddress: 100 })
    const sockets = Array.from({ length: 90 }, () => net.connect({ host: '127.0.0.1', port, localAddress: '127.0.1.1' }))
    sockets.forEach(socket => {
      socket.on('error', () => {})
      // what libp2p begins with
      socket.write('\x13/multistream/1.0.0\n')
    })

    await waitUntil('some are refused', () => helper.refusedConnections.rate > 0)
    sockets.forEach(socket => { socket.destroy() })
  })

  it('limits all connections', async () => {
    await start({ maxPeers: 1 })

    for (let i = 0; i < 300; i += 30) {
      await Promise.all(Array.from({ length: 30 }, async (_, j) => connect(`127.0.${1 + (i + j >> 7)}.${1 + (i + j & 127)}`)))
    }

    await expect(connect('127.0.9.1')).to.eventually.be.rejected()
    expect(helper.refusedConnections).to.include({ full: 1 })
  })
})
