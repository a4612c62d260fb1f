import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { TypedEventEmitter } from 'main-event'
import { EarlyHolePunch } from '../../src/punch/early-hole-punch.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components } from '../fixtures/components.ts'

const PEER = '12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b'
const RELAY = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'
const DCUTR = '/libp2p/dcutr'

describe('early hole punch', () => {
  const { closeLater } = closesAfterEach()

  function set (overrides: { connections?: any[]; protocols?: string[]; gater?: object; ours?: string[] } = {}): {
    identify(connection: object, ...addresses: string[]): void
    dialled: string[]
    stop(): void
  } {
    const { connections = [], protocols = [DCUTR], ours = [DCUTR], gater = {} } = overrides
    const events = new TypedEventEmitter<any>()
    const dialled: string[] = []
    const punch = new EarlyHolePunch(
      components({
        events,
        connectionManager: { getConnections: () => connections } as any,
        connectionGater: gater,
        registrar: { getProtocols: () => ours } as any
      }),
      async ma => {
        dialled.push(ma.toString())
        await new Promise(() => {})
      }
    )
    punch.start()
    closeLater({
      close: () => { punch.stop() }
    })

    return {
      dialled,
      identify: (connection, ...addresses) => {
        events.safeDispatchEvent('peer:identify', {
          detail: { connection, peerId: PEER, protocols, listenAddrs: addresses.map(address => multiaddr(address)) }
        })
      },
      stop: () => { punch.stop() }
    }
  }

  const remoteAddr = multiaddr(`/ip4/11.0.0.9/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${PEER}`)
  const outbound = (): object => ({ remoteAddr, direction: 'outbound' })
  // the gater is asked first
  const turn = async (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

  it('dials once, after a relayed connection that we have made', async () => {
    const { identify, dialled } = set()
    identify({ remoteAddr: multiaddr('/ip4/11.0.0.1/tcp/1'), direction: 'outbound' }, '/ip4/11.0.0.1/tcp/1')
    identify({ remoteAddr, direction: 'inbound' }, '/ip4/11.0.0.1/tcp/1')
    await turn()
    expect(dialled).to.be.empty()

    const connection = outbound()
    identify(connection, '/ip4/11.0.0.1/tcp/1')
    identify(connection, '/ip4/11.0.0.1/tcp/2')
    await turn()
    expect(dialled).to.deep.equal([`/ip4/11.0.0.1/tcp/1/p2p/${PEER}`])
  })

  for (const [title, overrides] of Object.entries({
    'a peer that is connected directly': {
      connections: [{ remotePeer: PEER, remoteAddr: multiaddr('/ip4/11.0.0.1/tcp/1') }]
    },
    'a peer that does not punch': { protocols: ['/ipfs/id/1.0.0'] },
    'every peer where we do not punch': { ours: ['/ipfs/id/1.0.0'] },
    'a peer that the gater denies': { gater: { denyDialPeer: async () => true } },
    'an address that the gater denies': { gater: { denyDialMultiaddr: async () => true } }
  })) {
    it(`does not dial ${title}`, async () => {
      const { identify, dialled } = set(overrides)
      identify(outbound(), '/ip4/11.0.0.1/tcp/1')
      await turn()
      expect(dialled).to.be.empty()
    })
  }

  it('does not dial many addresses at once', async () => {
    const { identify, dialled } = set()

    for (let i = 1; i < 100; i++) {
      identify(outbound(), `/ip4/11.0.0.${i}/tcp/1`)
    }

    await turn()

    expect(dialled).to.have.lengthOf(8)
  })

  it('ends when the node stops', async () => {
    const { identify, dialled, stop } = set()
    stop()
    identify(outbound(), '/ip4/11.0.0.1/tcp/1')
    await turn()
    expect(dialled).to.be.empty()
  })
})
