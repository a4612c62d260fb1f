import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { isAttested } from '../../src/dcutr/attest/ask-relays.ts'
import { ATTEST_PROTOCOL, AttestRequest, AttestResponse, MAX_MESSAGE_LENGTH } from '../../src/dcutr/attest/protocol.ts'
import { Budgets } from '../../src/dcutr/hard/budgets.ts'
import { DEFAULT_BUDGET, WIDE_BUDGET } from '../../src/dcutr/hard/plan.ts'
import { attestor } from '../../src/dcutr/index.ts'
import { bytesField } from '../../src/dcutr/protobuf.ts'
import { tcpSTUN } from '../../src/index.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { BudgetsInit } from '../../src/dcutr/hard/budgets.ts'
import type { AttestorInit } from '../../src/dcutr/index.ts'
import type { Libp2p, Stream } from '@libp2p/interface'

const LOOPBACK = '127.0.0.1'
const PEER = '12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b'

describe('attestation of a peer\'s address', () => {
  const nodes: Libp2p[] = []
  let relay: Libp2p
  let peer: Libp2p
  let asking: Libp2p

  afterEach(async () => { await Promise.all(nodes.splice(0).map(async node => { await node.stop() })) })

  async function node (init?: AttestorInit): Promise<Libp2p> {
    const created = await createLibp2p({
      addresses: { listen: init == null ? [] : [`/ip4/${LOOPBACK}/tcp/0`] },
      transports: [tcpSTUN({ stunServers: [] })],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { ...(init != null && { attestor: attestor(init) }) }
    })
    nodes.push(created)

    return created
  }

  async function setUp (init: AttestorInit = {}): Promise<void> {
    [relay, peer, asking] = await Promise.all([node(init), node(), node()])
    await Promise.all([peer, asking].map(async node => node.dial(relay.getMultiaddrs())))
    await waitUntil('the relay knows both', () => relay.getConnections().length === 2)
  }

  async function ask (host: string, { trusted = [relay.peerId.toString()], of = peer } = {}): Promise<boolean> {
    return isAttested(
      { connectionManager: { getConnections: peer => asking.getConnections(peer) } },
      trusted,
      { peer: of.peerId, host },
      { signal: AbortSignal.timeout(5_000) }
    )
  }

  it('a relay says whether a peer is connected from an address', async () => {
    await setUp()

    expect(await ask(LOOPBACK)).to.equal(true)
    expect(await ask('127.0.0.2')).to.equal(false)
    expect(await ask('::1')).to.equal(false)
  })

  it('not of a peer that is not connected', async () => {
    await setUp()
    const stranger = await node()

    expect(await ask(LOOPBACK, { of: stranger })).to.equal(false)
    await peer.stop()
    await waitUntil('it has left', () => relay.getConnections().length === 1)
    expect(await ask(LOOPBACK)).to.equal(false)
  })

  it('not of the address of a load balancer, which many peers have', async () => {
    await setUp({ isProxy: host => host === LOOPBACK })

    expect(await ask(LOOPBACK)).to.equal(false)
  })

  it('nobody is asked who is not trusted, or not there', async () => {
    await setUp()

    expect(await ask(LOOPBACK, { trusted: [] })).to.equal(false)
    expect(await ask(LOOPBACK, { trusted: [PEER] })).to.equal(false)
  })

  it('a trusted relay without the service says nothing', async () => {
    await setUp()
    await relay.unhandle(ATTEST_PROTOCOL)

    expect(await ask(LOOPBACK)).to.equal(false)
  })

  it('one of several trusted relays is enough, and one that is silent is not waited for', async () => {
    await setUp()
    const silent = await node({})
    await silent.unhandle(ATTEST_PROTOCOL)
    await silent.handle(ATTEST_PROTOCOL, () => {})
    await asking.dial(silent.getMultiaddrs())

    expect(await ask(LOOPBACK, { trusted: [silent, relay].map(({ peerId }) => peerId.toString()) })).to.equal(true)
    expect(await ask(LOOPBACK, { trusted: [silent.peerId.toString()] })).to.equal(false)
  })

  async function expectReset (send: (stream: Stream) => void): Promise<void> {
    await setUp()
    const [connection] = asking.getConnections(relay.peerId)
    const stream = await connection.newStream(ATTEST_PROTOCOL)
    send(stream)
    await waitUntil('the stream is reset', () => stream.status === 'reset')

    expect(await ask(LOOPBACK)).to.equal(true)
  }

  for (const [title, send] of Object.entries<(stream: Stream) => void>({
    'that is too long': stream => { stream.send(Uint8Array.from([0xff, 0x7f])) },
    'that is rubbish': stream => { stream.send(Uint8Array.from([3, 0xff, 0xff, 0xff])) },
    'without an address': stream => {
      const request = bytesField(1, Buffer.from(PEER))
      stream.send(Buffer.concat([Uint8Array.of(request.byteLength), request]))
    }
  })) {
    it(`a request ${title} ends the stream, and the service goes on`, async () => { await expectReset(send) })
  }

  it('the bytes of its messages', () => {
    const request = { peer: PEER, host: '1.2.3.4' }
    const bytes = AttestRequest.encode(request)

    expect(Buffer.from(bytes).toString('hex')).to.equal(`0a34${Buffer.from(PEER).toString('hex')}12050401020304`)
    expect(bytes.byteLength).to.be.below(MAX_MESSAGE_LENGTH)
    expect(AttestRequest.decode(bytes)).to.deep.equal(request)

    for (const isAttested of [true, false]) {
      expect(AttestResponse.decode(AttestResponse.encode({ isAttested }))).to.deep.equal({ isAttested })
    }

    for (const invalid of [new Uint8Array(), bytes.subarray(0, 10), bytesField(2, Buffer.from('06', 'hex'))]) {
      expect(() => AttestRequest.decode(invalid)).to.throw().with.property('name', 'InvalidMessageError')
    }
  })

  describe('and what a punch with the peer may cost', () => {
    const options = { signal: AbortSignal.timeout(60_000) }

    const budgets = (init: Partial<BudgetsInit>, isPrivate = false): Budgets => new Budgets({
      connectionManager: { getConnections: peer => asking.getConnections(peer) },
      connectionProtector: isPrivate ? { protect: async connection => connection } : undefined
    }, { wide: true, trustedPeers: [], trustedRelays: [], ...init })

    beforeEach(async () => { await setUp() })

    it('is the default without `wide`', async () => {
      const all = budgets({
        wide: false,
        trustedPeers: [peer.peerId.toString()],
        trustedRelays: [relay.peerId.toString()]
      }, true)

      expect(all.possible(peer.peerId)).to.deep.equal([DEFAULT_BUDGET])
      expect(await all.of(peer.peerId, LOOPBACK, WIDE_BUDGET, options)).to.equal(DEFAULT_BUDGET)
    })

    it('is the default with `wide`, where nobody vouches', async () => {
      const none = budgets({ trustedPeers: [asking.peerId.toString()] })

      expect(none.possible(peer.peerId)).to.deep.equal([DEFAULT_BUDGET])
      expect(await none.of(peer.peerId, LOOPBACK, WIDE_BUDGET, options)).to.equal(DEFAULT_BUDGET)
    })

    it('is more in a private network, and for trusted peers', async () => {
      for (const some of [budgets({}, true), budgets({ trustedPeers: [peer.peerId.toString()] })]) {
        expect(some.possible(peer.peerId)).to.deep.equal([DEFAULT_BUDGET, WIDE_BUDGET])
        expect(await some.of(peer.peerId, '1.2.3.4', WIDE_BUDGET, options)).to.equal(WIDE_BUDGET)
      }
    })

    it('is more for the address that a trusted relay attests, and no other', async () => {
      const attested = budgets({ trustedRelays: [relay.peerId.toString()] })

      expect(attested.possible(peer.peerId)).to.deep.equal([DEFAULT_BUDGET, WIDE_BUDGET])
      expect(await attested.of(peer.peerId, LOOPBACK, WIDE_BUDGET, options)).to.equal(WIDE_BUDGET)
      expect(await attested.of(peer.peerId, '1.2.3.4', WIDE_BUDGET, options)).to.equal(DEFAULT_BUDGET)
      expect(await attested.of(peer.peerId, LOOPBACK, DEFAULT_BUDGET, options)).to.equal(DEFAULT_BUDGET)
    })
  })
})
