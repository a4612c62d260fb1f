import { expect } from 'aegir/chai'
import { pEvent, pEventMultiple } from 'p-event'
import { LightPeer } from '../../../test/fixtures/light-peer.ts'
import { reserve } from '../../../test/fixtures/relay-reservation.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { startHelper } from '../src/helper/helper.ts'
import { helperLimits } from '../src/helper/limits.ts'
import type { Helper, HelperInit } from '../src/helper/options.ts'
import type { Connection } from '@libp2p/interface'

const OK = 100
const REFUSED = 200
const DENIED = 202
const LOOPBACK = [{ host: '127.0.0.1', port: 0 }]
const EVENT = { timeout: 20_000 }

describe('the limits of a helper', () => {
  it('all follow from the number of peers', () => {
    const limits = helperLimits({ maxPeers: 10_000 }, true)

    expect(limits.connections).to.be.at.least(10_000)
    expect(limits.stunConnections).to.be.at.least(20_000)
    expect(limits.queuedDials).to.be.at.least(10_000)
    expect(limits.descriptors).to.be.at.least(limits.connections + limits.stunConnections)
  })

  it('let strangers relay less than members', () => {
    const open = helperLimits({}, true)
    const closed = helperLimits({}, false)

    expect(open).to.include({ relayBytes: 131_072, relayDuration: 120_000 })
    expect(closed.relayBytes).to.be.above(open.relayBytes)
    expect(closed.relayDuration).to.be.above(open.relayDuration)
    expect(helperLimits({ relayBytes: 5, relayDuration: 6 }, false)).to.include({ relayBytes: 5, relayDuration: 6 })
  })
})

describe('a helper with many peers', () => {
  const peers: LightPeer[] = []
  let helper: Helper | undefined

  afterEach(async () => {
    peers.splice(0).forEach(peer => { peer.reset() })
    await helper?.close()
  })

  async function start (init: HelperInit = {}): Promise<{ helper: Helper, port: number }> {
    helper = await startHelper({ listen: LOOPBACK, stunListen: LOOPBACK, ...init })
    const [address] = helper.node.getMultiaddrs()

    return { helper, port: Number(address.getComponents()[1].value) }
  }

  /**
   * The peer of this number, which has an address of its own
   */
  async function connect (port: number, number: number): Promise<LightPeer> {
    const localAddress = `127.0.${1 + (number >> 7)}.${1 + (number & 127)}`
    const peer = await LightPeer.connect({ host: '127.0.0.1', port, localAddress })
    peers.push(peer)

    return peer
  }

  it('lists the connections that libp2p lists, as they come and go', async () => {
    const { helper, port } = await start()
    const { node } = helper
    const listed = (): string[] => node.getConnections().map(({ id }) => id).sort()
    const known = (): string[] => [...(node as any).components.connectionManager.getConnectionsMap().values()]
      .flatMap((connections: Connection[]) => connections.map(({ id }) => id)).sort()
    const opened = pEventMultiple(node as any, 'connection:open', { count: 5, ...EVENT })
    const peers = await Promise.all([1, 2, 3, 4].map(async number => connect(port, number)))
    // another one of the same peer
    const { privateKey } = peers[0]
    peers.push(await LightPeer.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2', privateKey }))
    await opened
    expect(listed()).to.have.lengthOf(5).that.deep.equals(known())

    for (const peer of peers) {
      const closed = pEvent(node as any, 'connection:close', EVENT)
      peer.reset()
      await closed
      expect(listed()).to.deep.equal(known())
    }

    expect(listed()).to.be.empty()
  })

  it('has room for more than the 300 connections of a node', async () => {
    const { helper, port } = await start({ maxPeers: 330 })
    const statuses: number[] = []

    for (let i = 0; i < 330; i += 30) {
      const some = Array.from({ length: 30 }, async (_, j) => reserve(await connect(port, i + j)))
      statuses.push(...await Promise.all(some))
    }

    expect(statuses.filter(status => status === OK)).to.have.lengthOf(330)
    expect(helper.node.getConnections()).to.have.lengthOf(330)
    expect(await reserve(await connect(port, 330))).to.equal(REFUSED)
    expect(helper.refused).to.include({ address: 0, peers: 1 })
  })

  it('accepts many peers at once', async () => {
    const { helper, port } = await start()
    await Promise.all(Array.from({ length: 60 }, async (_, i) => connect(port, i)))

    await waitUntil('all are connected', () => helper.node.getConnections().length === 60)
  })

  it('stores nothing about peers, and keeps nothing of those that have left', async () => {
    const { helper, port } = await start()

    for (let i = 0; i < 10; i++) {
      const peer = await connect(port, i)
      expect(await reserve(peer)).to.equal(OK)
      expect(await helper.node.peerStore.all()).to.be.empty()
      const left = pEvent(helper.node as any, 'peer:disconnect', EVENT)
      peer.reset()
      await left
    }

    expect(helper.node.services.relay.reservations.size).to.equal(0)
    expect(await helper.node.peerStore.all()).to.be.empty()
  })

  it('refuses the ninth peer of an address, unless it is that of a trusted proxy', async () => {
    const open = async (port: number): Promise<number[]> => {
      const statuses: number[] = []

      for (let i = 0; i < 9; i++) {
        statuses.push(await reserve(await connect(port, 0)))
      }

      return statuses
    }
    const first = await start()
    expect(await open(first.port)).to.deep.equal([...Array(8).fill(OK), DENIED])
    expect(first.helper.refused).to.include({ address: 1, peers: 0 })
    await first.helper.close()

    const second = await start({ trustedProxies: ['127.0.1.0/24'] })
    expect(await open(second.port)).to.deep.equal(Array(9).fill(OK))
  })
})
