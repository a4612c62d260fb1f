import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from 'libp2p-tcp-stun'
import { pEvent } from 'p-event'
import { startHelper } from '../src/helper/helper.ts'
import { ReservationLimits } from '../src/helper/reservation-limits.ts'
import { boardNodes } from './fixtures/board-nodes.ts'
import { Requester } from './fixtures/rendezvous-requests.ts'
import type { BoardServer } from './fixtures/board-nodes.ts'
import type { Helper } from '../src/helper/options.ts'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Libp2p } from '@libp2p/interface'

const EVENT = { timeout: 20_000 }

describe('the limits of relay reservations', () => {
  const TTL = 1_000

  /**
   * How many of the peers, one at each address, are admitted
   */
  function admitted (limits: ReservationLimits, hosts: string[]): number {
    return hosts.filter((host, i) => limits.admit(`${host} ${i}`, [host], 0)).length
  }

  function many (count: number, host: (i: number) => string): string[] {
    return Array.from({ length: count }, (_, i) => host(i))
  }

  for (const { title, hosts, expected } of [
    { title: 'one IPv4 address', hosts: many(12, () => '11.0.0.1'), expected: 8 },
    { title: 'many IPv4 addresses', hosts: many(100, i => `11.0.0.${i}`), expected: 100 },
    { title: 'one IPv6 address', hosts: many(12, () => '2a00::1'), expected: 8 },
    { title: 'one IPv6 /64', hosts: many(100, i => `2a00::${i.toString(16)}`), expected: 8 },
    { title: 'one IPv6 /56', hosts: many(100, i => `2a00:0:0:${i.toString(16)}::1`), expected: 16 },
    { title: 'one IPv6 /48', hosts: many(100, i => `2a00:0:0:${(i * 256).toString(16)}::1`), expected: 32 },
    { title: 'many IPv6 /48', hosts: many(100, i => `2a00:0:${i.toString(16)}::1`), expected: 100 }
  ]) {
    it(`${title}: ${expected} of ${hosts.length} peers`, () => {
      expect(admitted(new ReservationLimits({ maxPerAddress: 8, ttl: TTL }), hosts)).to.equal(expected)
    })
  }

  it('let a peer refresh its reservation, and count it once', () => {
    const limits = new ReservationLimits({ maxPerAddress: 2, ttl: TTL })

    for (let i = 0; i < 5; i++) {
      expect(limits.admit('a', ['11.0.0.1'], 0)).to.equal(true)
    }

    expect(limits.admit('b', ['11.0.0.1'], 0)).to.equal(true)
    expect(limits.admit('c', ['11.0.0.1'], 0)).to.equal(false)
    expect(limits.size).to.equal(2)
  })

  it('count a peer at each of its addresses', () => {
    const limits = new ReservationLimits({ maxPerAddress: 1, ttl: TTL })
    limits.admit('a', ['11.0.0.1', '11.0.0.2'], 0)

    expect(limits.admit('b', ['11.0.0.1'], 0)).to.equal(false)
    expect(limits.admit('c', ['11.0.0.2'], 0)).to.equal(false)
    expect(limits.admit('d', ['11.0.0.3', '11.0.0.2'], 0)).to.equal(false)
  })

  it('free what is released and what has expired', () => {
    const limits = new ReservationLimits({ maxPerAddress: 1, ttl: TTL })
    limits.admit('a', ['11.0.0.1'], 0)

    expect(limits.admit('b', ['11.0.0.1'], TTL - 1)).to.equal(false)
    expect(limits.admit('b', ['11.0.0.1'], TTL)).to.equal(true)
    limits.release('b')
    expect(limits.admit('c', ['11.0.0.1'], TTL)).to.equal(true)
    expect(limits.size).to.equal(1)
  })
})

describe('a helper', () => {
  const nodes: Libp2p[] = []
  const boards = boardNodes()
  let helper: Helper | undefined

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map(async node => { await node.stop() }))
    await helper?.close()
  })

  async function startRelay (limits: {
    maxPeers?: number
    maxPeersPerAddress?: number
  }): Promise<CircuitRelayService> {
    helper = await startHelper({
      listen: [{ host: '127.0.0.1', port: 0 }],
      stunListen: [{ host: '127.0.0.1', port: 0 }],
      ...limits
    })

    return helper.node.services.relay as CircuitRelayService
  }

  /**
   * Start a peer that listens on the relay. It fails to start without a reservation.
   */
  async function startPeer (): Promise<Libp2p> {
    const node = await createLibp2p({
      start: false,
      addresses: { listen: [`${helper?.node.getMultiaddrs()[0]}/p2p-circuit`] },
      transports: [tcpSTUN({ stunServers: [] }), circuitRelayTransport()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify() }
    })
    nodes.push(node)
    await node.start()

    return node
  }

  it('gives the peers of one address 8 of its relay reservations', async () => {
    const relay = await startRelay({})
    const results = await Promise.allSettled(Array.from({ length: 12 }, startPeer))

    expect(results.filter(({ status }) => status === 'fulfilled')).to.have.lengthOf(8)
    expect(relay.reservations.size).to.equal(8)
  })

  it('frees the reservation of a peer that leaves', async () => {
    const relay = await startRelay({ maxPeers: 1, maxPeersPerAddress: 1 })

    for (let i = 0; i < 3; i++) {
      const peer = await startPeer()
      expect(relay.reservations.size).to.equal(1)
      const left = pEvent(helper?.node as any, 'peer:disconnect', EVENT)
      await peer.stop()
      await left
      expect(relay.reservations.size).to.equal(0)
    }
  })

  it('gives rust clients the records that they can read, also before they register', async () => {
    await startRelay({})
    const server = helper?.node as BoardServer
    const [standard, legacy] = await Promise.all([1, 2].map(async () => Requester.create(boards, server)))
    await standard.register({ signedPeerRecord: await standard.seal() })
    await legacy.register({ signedPeerRecord: await legacy.seal({ form: 'legacy' }) })

    const rust = await Requester.create(boards, server, { userAgent: 'rust-libp2p/0.57.0' })
    expect((await rust.discover()).registrations).to.have.lengthOf(1)
    const other = await Requester.create(boards, server)
    expect((await other.discover()).registrations).to.have.lengthOf(2)
  })

  it('serves a reader that does not say what it is', async () => {
    await startRelay({})
    const server = helper?.node as BoardServer
    const standard = await Requester.create(boards, server)
    await standard.register({ signedPeerRecord: await standard.seal() })
    const silent = await Requester.create(boards, server)
    await silent.node.unhandle('/ipfs/id/1.0.0')

    expect((await silent.discover()).registrations).to.have.lengthOf(1)
  })
})
