import { generateKeyPair } from '@libp2p/crypto/keys'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { boardNodes, foundBy, portOf, untilFound } from './fixtures/board-nodes.ts'

const EVENT = { timeout: 20_000 }

describe('a board and its clients', () => {
  const nodes = boardNodes()

  it('let two nodes find each other, with the addresses that they have signed', async () => {
    const server = await nodes.server()
    const servers = server.getMultiaddrs()
    const a = await nodes.client({ servers })
    const b = await nodes.client({ servers })
    const [foundByA, foundByB] = await Promise.all([untilFound(a, b.peerId), untilFound(b, a.peerId)])

    expect(foundByB.multiaddrs.map(address => `${address}/p2p/${a.peerId}`))
      .to.deep.equal(a.getMultiaddrs().map(String))
    expect(foundByA.multiaddrs.map(address => `${address}/p2p/${b.peerId}`))
      .to.deep.equal(b.getMultiaddrs().map(String))

    const { addresses, peerRecordEnvelope } = await a.peerStore.get(b.peerId)
    expect(addresses.map(({ isCertified }) => isCertified)).to.deep.equal([true])
    expect(peerRecordEnvelope).to.be.an.instanceOf(Uint8Array)
    expect(server.services.board).to.include({ registrations: 2, peers: 2 })

    // the address works
    await a.dial(b.peerId)
  })

  it('take a node off the board when it stops', async () => {
    const server = await nodes.server()
    const client = await nodes.client({ servers: server.getMultiaddrs() })
    await pEvent(client.services.board, 'registered', EVENT)

    await client.stop()
    expect(server.services.board.registrations).to.equal(0)
  })

  it('keep apart what is registered under different names', async () => {
    const server = await nodes.server()
    const servers = server.getMultiaddrs()
    const [a, b, c] = await Promise.all([['one'], ['two'], ['one', 'two']].map(async namespaces =>
      nodes.client({ servers, namespaces })
    ))
    await Promise.all([untilFound(c, a.peerId), untilFound(c, b.peerId), untilFound(a, c.peerId)])

    expect(server.services.board).to.include({ registrations: 4, peers: 3 })
    expect(foundBy(a).map(({ id }) => id)).to.deep.equal([c.peerId])
  })

  it('find each other again when the server was restarted without its registrations', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const first = await nodes.server({ privateKey })
    const servers = first.getMultiaddrs()
    const port = portOf(servers[0])
    const a = await nodes.client({ servers })
    await pEvent(a.services.board, 'registered', EVENT)
    await first.stop()

    const registered = pEvent(a.services.board, 'registered', EVENT)
    const second = await nodes.server({ privateKey, port })
    await registered
    expect(second.services.board.registrations).to.equal(1)

    const b = await nodes.client({ servers })
    await Promise.all([untilFound(a, b.peerId), untilFound(b, a.peerId)])
  })

  it('register at every helper, and read from each', async () => {
    const [one, two] = await Promise.all([nodes.server(), nodes.server()])
    const both = await nodes.client({ servers: [...one.getMultiaddrs(), ...two.getMultiaddrs()] })
    const left = await nodes.client({ servers: one.getMultiaddrs() })
    const right = await nodes.client({ servers: two.getMultiaddrs() })

    await Promise.all([
      untilFound(both, left.peerId),
      untilFound(both, right.peerId),
      untilFound(left, both.peerId),
      untilFound(right, both.peerId)
    ])
  })
})
