import net from 'node:net'
import { expect } from 'aegir/chai'
import { HeldClock } from '../../../test/fixtures/held-clock.ts'
import { LightPeer } from '../../../test/fixtures/light-peer.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { HandshakeQueue } from '../src/helper/handshake-queue.ts'
import { startHelper } from '../src/helper/helper.ts'
import { KnownHosts } from '../src/helper/known-hosts.ts'
import { Newcomers } from '../src/helper/newcomers.ts'
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

  function create (
    gap: number | (() => number), maxWaiting = 100
  ): (host: string, signal?: AbortSignal) => void {
    const queue = new HandshakeQueue({ clock, gap: typeof gap === 'number' ? () => gap : gap, maxWaiting })

    return (host, gone = signal) => {
      void queue.enter(host, gone).then(mayStart => { log.push(`${mayStart ? 'start' : 'refuse'} ${host}`) })
    }
  }

  /**
   * Use up what may begin at once
   */
  async function spendBurst (enter: (host: string) => void): Promise<void> {
    [1, 2, 3, 4, 5].forEach(i => { enter(`12.0.${i}.1`) })
    await take()
  }

  /**
   * What has happened by now
   */
  async function take (): Promise<string[]> {
    await new Promise(resolve => setImmediate(resolve))

    return log.splice(0)
  }

  it('lets some begin at once after a calm time', async () => {
    const enter = create(25)
    const hosts = [1, 2, 3, 4, 5, 6].map(i => `11.0.${i}.1`)
    hosts.forEach(host => { enter(host) })
    expect(await take()).to.deep.equal(hosts.slice(0, 5).map(host => `start ${host}`))

    clock.advance(25)
    expect(await take()).to.deep.equal(['start 11.0.6.1'])
    clock.advance(2 * 25)
    hosts.slice(0, 3).forEach(host => { enter(host) })
    expect(await take()).to.deep.equal(['start 11.0.1.1', 'start 11.0.2.1'])
  })

  it('lets one begin after the other, and each network has its turn', async () => {
    const enter = create(25)
    await spendBurst(enter)
    const hosts = ['11.0.0.1', '11.0.0.2', '11.0.0.3', '11.0.1.1', '2a00::1', '2a00:0:0:1::1', '11.0.1.2']
    hosts.forEach(host => { enter(host) })

    clock.advance(24)
    expect(await take()).to.deep.equal([])
    clock.advance(1)
    expect(await take()).to.deep.equal(['start 11.0.0.1'])
    clock.advance(6 * 25)
    expect(await take()).to.deep.equal([
      'start 11.0.1.1', 'start 2a00::1', 'start 11.0.0.2', 'start 11.0.1.2', 'start 2a00:0:0:1::1', 'start 11.0.0.3'
    ])
  })

  it('refuses the network that has most in the queue when it is full', async () => {
    const enter = create(25, 3)
    await spendBurst(enter)
    const hosts = ['11.0.0.2', '11.0.0.3', '11.0.0.4', '11.0.0.5', '11.0.1.1', '11.0.2.1', '11.0.3.1']
    hosts.forEach(host => { enter(host) })

    expect(await take()).to.have.members(['refuse 11.0.0.5', 'refuse 11.0.0.4', 'refuse 11.0.0.3', 'refuse 11.0.3.1'])
    clock.advance(3 * 25)
    expect(await take()).to.deep.equal(['start 11.0.0.2', 'start 11.0.1.1', 'start 11.0.2.1'])
  })

  it('lets nobody wait whose turn would come too late', async () => {
    const enter = create(250)
    await spendBurst(enter)
    const hosts = [1, 2, 3, 4, 5].map(i => `11.0.${i}.1`)
    hosts.forEach(host => { enter(host) })
    expect(await take()).to.deep.equal(['refuse 11.0.4.1', 'refuse 11.0.5.1'])

    clock.advance(1_000)
    expect(await take()).to.deep.equal(hosts.slice(0, 3).map(host => `start ${host}`))
  })

  it('prefers a network that was refused and comes again', async () => {
    const enter = create(25, 2)
    await spendBurst(enter)
    const hosts = ['11.0.1.1', '11.0.2.1', '11.0.3.1']
    hosts.forEach(host => { enter(host) })
    expect(await take()).to.deep.equal(['refuse 11.0.3.1'])

    enter('11.0.3.2')
    expect(await take()).to.deep.equal(['refuse 11.0.2.1'])
    enter('11.0.2.2')
    expect(await take()).to.deep.equal(['refuse 11.0.1.1'])
    enter('11.0.1.2')
    // nobody is left who comes for the first time
    expect(await take()).to.deep.equal(['refuse 11.0.1.2'])
    clock.advance(2 * 25)
    expect(await take()).to.deep.equal(['start 11.0.3.2', 'start 11.0.2.2'])
  })

  /**
   * @returns what happens to a network that was refused, and comes again to a full queue
   */
  async function comeAgainAfter (ms: number): Promise<string[]> {
    const enter = create(25, 1)
    await spendBurst(enter)
    ;['11.0.1.1', '11.0.2.1'].forEach(host => { enter(host) })
    expect(await take()).to.deep.equal(['refuse 11.0.2.1'])

    clock.advance(ms)
    await spendBurst(enter)
    ;['11.0.3.1', '11.0.2.1'].forEach(host => { enter(host) })

    return take()
  }

  it('prefers a network that comes again within the time that nodes need', async () => {
    expect(await comeAgainAfter(4_000)).to.deep.equal(['refuse 11.0.3.1'])
  })

  it('does not prefer one that comes again later, like a stranger with thousands of networks', async () => {
    expect(await comeAgainAfter(4_001)).to.deep.equal(['refuse 11.0.2.1'])
  })

  it('refuses those that have waited for too long after all', async () => {
    let gap = 25
    const enter = create(() => gap)
    await spendBurst(enter)
    enter('11.0.1.1')
    gap = 5_000
    enter('11.0.2.1')
    expect(await take()).to.deep.equal(['refuse 11.0.2.1'])

    gap = 25
    enter('11.0.3.1')
    gap = 5_000
    clock.advance(25)
    expect(await take()).to.deep.equal(['start 11.0.1.1'])
    clock.advance(3_975)
    expect(await take()).to.deep.equal(['refuse 11.0.3.1'])
  })

  it('forgets those that have left', async () => {
    const enter = create(25)
    const left = new AbortController()
    await spendBurst(enter)
    enter('11.0.0.1', left.signal)
    enter('11.0.0.2')
    left.abort()
    expect(await take()).to.deep.equal(['refuse 11.0.0.1'])

    clock.advance(25)
    expect(await take()).to.deep.equal(['start 11.0.0.2'])
    expect(clock.pending).to.equal(0)
  })
})

describe('the homes that are known', () => {
  const create = (maxHomes: number): KnownHosts => new KnownHosts({ maxHomes, maxReturns: 2 })

  it('are the latest ones', () => {
    const known = create(2)
    known.add('11.0.0.1')
    known.add('2a00::1')
    known.add('11.0.0.1')
    known.add('11.0.0.2')

    expect(['11.0.0.1', '11.0.0.2', '2a00::1', '11.0.0.3'].filter(host => known.take(host)))
      .to.deep.equal(['11.0.0.1', '11.0.0.2'])
  })

  it('have an IPv4 address or an IPv6 /64', () => {
    const known = create(2)
    known.add('11.0.0.1')
    known.add('2a00::1')

    expect(['11.0.0.2', '2a00::2', '2a00:0:0:1::1'].filter(host => known.take(host))).to.deep.equal(['2a00::2'])
  })

  it('may come back as often as their peers have stayed, and not more often than they have peers', () => {
    const known = create(2)
    known.add('11.0.0.1')
    expect([1, 2].map(() => known.take('11.0.0.1'))).to.deep.equal([true, false])

    ;[1, 2, 3].forEach(() => { known.add('11.0.0.1') })
    expect([1, 2, 3].map(() => known.take('11.0.0.1'))).to.deep.equal([true, true, false])
  })
})

describe('newcomers', () => {
  it('are most when a helper has just started, and until others have stayed', () => {
    const newcomers = new Newcomers<string>()
    expect(newcomers.areMost(0)).to.equal(true)

    ;['a', 'b', 'c'].forEach(connection => { newcomers.add(connection, 0) })
    expect(newcomers.areMost(29_999)).to.equal(true)
    expect(newcomers.areMost(30_000)).to.equal(false)

    ;['d', 'e'].forEach(connection => { newcomers.add(connection, 30_000) })
    expect(newcomers.areMost(30_000)).to.equal(false)
    newcomers.remove('a')
    expect(newcomers.areMost(30_000)).to.equal(true)
    newcomers.remove('d')
    expect(newcomers.areMost(30_000)).to.equal(false)
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
    const flood = { host: '127.0.0.1', port, localAddress: '127.0.1.1' }
    const sockets = Array.from({ length: 90 }, () => net.connect(flood))
    sockets.forEach(socket => {
      socket.on('error', () => {})
      // what libp2p begins with
      socket.write('\x13/multistream/1.0.0\n')
    })

    await waitUntil('some are refused', () => helper.refusedConnections.rate > 0)
    sockets.forEach(socket => { socket.destroy() })
  })

  it('refuses at once whom it could not serve in time, and serves whoever comes again', async () => {
    await start({})
    const sockets = Array.from({ length: 200 }, (_, i) =>
      net.connect({ host: '127.0.0.1', port, localAddress: `127.0.${1 + i}.1` }))
    sockets.forEach(socket => {
      socket.on('error', () => {})
      socket.write('\x13/multistream/1.0.0\n')
    })
    await waitUntil('some are refused', () => helper.refusedConnections.busy > 0)

    let attempts = 0
    await waitUntil('a newcomer is connected', async () => {
      attempts++
      const peer = await connect('127.0.210.1').catch(() => {})

      return peer != null
    })
    expect(attempts).to.be.at.most(2)
    sockets.forEach(socket => { socket.destroy() })
  })

  it('has half of the handshakes for those that come through load balancers', async () => {
    await start({ trustedProxies: ['127.0.2.0/24'] })
    const flood = Array.from({ length: 200 }, () =>
      net.connect({ host: '127.0.0.1', port, localAddress: '127.0.2.1' }))
    flood.forEach(socket => {
      socket.on('error', () => {})
      socket.write('\x13/multistream/1.0.0\n')
    })
    await waitUntil('some are refused', () => helper.refusedConnections.busy > 0)

    // nobody else waits, so it is the next one of the hosts
    await connect('127.0.1.1')
    flood.forEach(socket => { socket.destroy() })
  })

  it('limits all connections', async () => {
    await start({ maxPeers: 1 })

    for (let i = 0; i < 300; i += 30) {
      await Promise.all(Array.from({ length: 30 }, async (_, j) =>
        connect(`127.0.${1 + (i + j >> 7)}.${1 + (i + j & 127)}`)))
    }

    await expect(connect('127.0.9.1')).to.eventually.be.rejected()
    expect(helper.refusedConnections).to.include({ full: 1 })
  })
})
