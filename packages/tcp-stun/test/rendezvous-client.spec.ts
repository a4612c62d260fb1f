import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { rendezvousClient } from '../src/rendezvous/client/index.ts'
import { Message } from '../src/rendezvous/pb/rendezvous.ts'
import { PROTOCOL } from '../src/rendezvous/protocol.ts'
import { sealRecord } from '../src/rendezvous/signed-record.ts'
import { NAMESPACE, boardNodes, foundBy, untilFound } from './fixtures/board-nodes.ts'
import type { SealInit } from '../src/rendezvous/signed-record.ts'
import type { PrivateKey, Stream } from '@libp2p/interface'

const { MessageType, ResponseStatus } = Message
const EVENT = { timeout: 20_000 }

describe('a client of a board', () => {
  const nodes = boardNodes()

  /**
   * A server that answers as the test says, and counts the requests
   */
  async function startServer (
    answer: (request: Message, count: number) => Message | undefined
  ): Promise<{ servers: string[], requests: Message[] }> {
    const node = await nodes.plain()
    const requests: Message[] = []
    await node.handle(PROTOCOL, (stream: Stream) => {
      const messages = lpStream(stream)
      const serve = async (): Promise<void> => {
        while (true) {
          const request = Message.decode(await messages.read())
          requests.push(request)
          const response = answer(request, requests.length)

          if (response == null) {
            stream.abort(new Error('no answer'))
            return
          }

          await messages.write(Message.encode(response))
        }
      }
      serve().catch(() => {})
    })

    return { servers: node.getMultiaddrs().map(String), requests }
  }

  function discovered (records: Array<Uint8Array<ArrayBuffer>>, namespace = NAMESPACE): Message {
    return {
      type: MessageType.DISCOVER_RESPONSE,
      discoverResponse: {
        status: ResponseStatus.OK,
        cookie: new Uint8Array(8),
        registrations: records.map(signedPeerRecord => ({ ns: namespace, signedPeerRecord, ttl: 7_200n }))
      }
    }
  }

  const REGISTERED: Message = {
    type: MessageType.REGISTER_RESPONSE,
    registerResponse: { status: ResponseStatus.OK, ttl: 7_200n }
  }

  async function seal (privateKey: PrivateKey, init: Partial<SealInit> = {}): Promise<Uint8Array<ArrayBuffer>> {
    return sealRecord({
      privateKey,
      addresses: [multiaddr('/ip4/11.0.0.1/tcp/4001')],
      form: 'standard',
      sequence: 2n,
      ...init
    })
  }

  const ADDRESS = '/ip4/1.2.3.4/tcp/1'

  for (const { what, servers, namespaces, message } of [
    { what: 'no server', servers: [], namespaces: ['a'], message: 'at least one server' },
    { what: 'no namespace', servers: [ADDRESS], namespaces: [], message: 'one namespace' },
    { what: 'what is no multiaddr', servers: ['helper.example.org'], namespaces: ['a'], message: 'no multiaddr' },
    { what: 'a long namespace', servers: [ADDRESS], namespaces: ['ä'.repeat(128)], message: '256' }
  ]) {
    it(`refuses ${what}`, () => {
      const components: any = { logger: { forComponent: () => {} } }
      expect(() => rendezvousClient({ servers, namespaces })(components)).to.throw(message)
        .with.property('name', 'InvalidParametersError')
    })
  }

  it('finds its servers by a look-up, also when the first ones fail', async () => {
    const { servers, requests } = await startServer(({ type }) =>
      type === MessageType.REGISTER ? REGISTERED : discovered([]))
    let lookUps = 0
    const client = await nodes.client({
      lookUp: async () => {
        if (lookUps++ === 0) {
          throw new Error('there is no network')
        }

        return servers.map(address => multiaddr(address))
      }
    })
    const failed = pEvent<'server:failed', CustomEvent>(client.services.board, 'server:failed', EVENT)
    const registered = pEvent(client.services.board, 'registered', EVENT)

    expect((await failed).detail).to.deep.include({ addresses: [] })
      .and.to.have.nested.property('error.message', 'there is no network')
    await registered
    expect(lookUps).to.equal(2)
    expect(requests).to.not.be.empty()
  })

  it('ignores what no peer has signed, and reports the others', async () => {
    const [good, forged, elsewhere] = await Promise.all([1, 2, 3].map(async () => generateKeyPair('Ed25519')))
    const broken = await seal(forged)
    broken[broken.byteLength - 1] ^= 1
    const answers = [
      discovered([broken, new Uint8Array(300), new Uint8Array()]),
      discovered([await seal(elsewhere)], 'elsewhere'),
      discovered([await seal(good)])
    ]
    const { servers } = await startServer(request =>
      request.type === MessageType.REGISTER ? REGISTERED : answers.shift() ?? discovered([]))
    const client = await nodes.client({ servers, pollInterval: 1 })
    await untilFound(client, peerIdFromPrivateKey(good))

    expect(foundBy(client).map(({ id }) => id)).to.deep.equal([peerIdFromPrivateKey(good)])
  })

  it('does not go back to an older record, and reports a peer again when its addresses change', async () => {
    const key = await generateKeyPair('Ed25519')
    const moved = [multiaddr('/ip4/11.0.0.2/tcp/4001')]
    const answers = [
      discovered([await seal(key, { sequence: 2n })]),
      discovered([await seal(key, { sequence: 1n })]),
      discovered([await seal(key, { sequence: 2n })]),
      discovered([await seal(key, { sequence: 3n, addresses: moved })])
    ]
    const { servers } = await startServer(request =>
      request.type === MessageType.REGISTER ? REGISTERED : answers.shift() ?? discovered([]))
    const client = await nodes.client({ servers, pollInterval: 1 })
    await waitUntil('it has found the peer twice', () => foundBy(client).length === 2)

    expect(foundBy(client).map(({ multiaddrs }) => multiaddrs.map(String))).to.deep.equal([
      ['/ip4/11.0.0.1/tcp/4001'],
      ['/ip4/11.0.0.2/tcp/4001']
    ])
    const { addresses } = await client.peerStore.get(peerIdFromPrivateKey(key))
    expect(addresses.map(({ multiaddr }) => String(multiaddr))).to.include('/ip4/11.0.0.2/tcp/4001')
  })

  it('uses the addresses that it can read', async () => {
    const key = await generateKeyPair('Ed25519')
    // a protocol that does not exist yet
    const unknown = { bytes: Uint8Array.of(0xff, 0xff, 0x7f, 1), getComponents: () => [] } as any
    const record = await seal(key, { addresses: [unknown, multiaddr('/ip4/11.0.0.1/tcp/4001')] })
    const { servers } = await startServer(request =>
      request.type === MessageType.REGISTER ? REGISTERED : discovered([record]))
    const client = await nodes.client({ servers, pollInterval: 1 })

    const { multiaddrs } = await untilFound(client, peerIdFromPrivateKey(key))
    expect(multiaddrs.map(String)).to.deep.equal(['/ip4/11.0.0.1/tcp/4001'])
  })

  it('does not ask a server in a hurry that repeats itself, or does not wait', async () => {
    const key = await generateKeyPair('Ed25519')
    const record = await seal(key)
    const { servers, requests } = await startServer(request =>
      request.type === MessageType.REGISTER ? REGISTERED : discovered([record]))
    const client = await nodes.client({ servers, pollInterval: 3_600_000 })
    await untilFound(client, peerIdFromPrivateKey(key))
    await waitUntil('it has asked again', () => requests.filter(({ discover }) => discover != null).length === 2)
    await client.stop()

    expect(requests.filter(({ discover }) => discover != null)).to.have.lengthOf(2)
  })

  it('registers in the legacy form where the standard one is not read', async () => {
    const { servers, requests } = await startServer((request, count) =>
      request.type === MessageType.REGISTER
        ? requests.filter(({ register }) => register != null).length === 1 ? undefined : REGISTERED
        : discovered([]))
    const client = await nodes.client({ servers })
    await pEvent(client.services.board, 'registered', EVENT)
    const last = requests.findLast(({ register }) => register != null)

    const record = Buffer.from(last?.register?.signedPeerRecord ?? []).toString('latin1')
    expect(record).to.include('/libp2p/routing-state-record')
  })

  it('unregisters an old record that is newer than ours: our clock was set back', async () => {
    let refused = false
    const { servers, requests } = await startServer(request => {
      if (request.type !== MessageType.REGISTER) {
        return discovered([])
      }

      if (refused) {
        return REGISTERED
      }

      refused = true

      return {
        type: MessageType.REGISTER_RESPONSE,
        registerResponse: { status: ResponseStatus.E_INVALID_SIGNED_PEER_RECORD }
      }
    })
    const client = await nodes.client({ servers })
    await pEvent(client.services.board, 'registered', EVENT)

    expect(requests.filter(({ discover }) => discover == null).map(({ type }) => type)).to.deep.equal([
      MessageType.REGISTER,
      MessageType.UNREGISTER,
      MessageType.REGISTER
    ])
  })

  it('reports a server that refuses, with the reason', async () => {
    const server = await nodes.server({ allow: () => false })
    const client = await nodes.client({ servers: server.getMultiaddrs() })
    const { detail } = await pEvent<'server:failed', CustomEvent>(client.services.board, 'server:failed', EVENT)

    expect(detail.error).to.have.property('name', 'RefusedError')
    expect(detail.error).to.have.property('status', 'E_NOT_AUTHORIZED')
    expect(detail.error.message).to.include('This board is for its members only')
  })

  it('stops at once while its server is away', async () => {
    const server = await nodes.server()
    const client = await nodes.client({ servers: server.getMultiaddrs() })
    await pEvent(client.services.board, 'registered', EVENT)
    await server.stop()
    await pEvent(client.services.board, 'server:failed', EVENT)
    await client.stop()
  })
})
