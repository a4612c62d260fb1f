import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { FastPunch, candidates, findPunch, listenForRole } from '../../src/punch/hole-punch.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components } from '../fixtures/components.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

const PEER = '12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b'
const OTHER = '12D3KooWFwvq5Ke8pTmUL6fgNDpHtxpVLKV7UYCjVYZTdLQdBmSN'
const RELAY = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'
const DCUTR = '/libp2p/dcutr'
const HEADER = '\x13/multistream/1.0.0\n'

describe('hole punch', () => {
  const { closeLater } = closesAfterEach()

  describe('role', () => {
    const stream = (protocol: string, direction: string): any => ({ protocol, direction })
    // without limits: a relay may set none
    const relayed = (peer: string, ...streams: any[]): any => ({ remoteAddr: multiaddr(`/ip4/11.0.0.9/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${peer}`), remotePeer: { toString: () => peer }, streams })
    const role = (ma: string, ...connections: any[]): string | undefined => findPunch(components({ connectionManager: { getConnections: () => connections } as any }), multiaddr(ma))?.role
    const address = `/ip4/11.0.0.1/tcp/4001/p2p/${PEER}`

    it('is that of DCUtR: who opened its stream responds', () => {
      expect(role(address, relayed(PEER, stream('/libp2p/dcutr', 'outbound')))).to.equal('responder')
      expect(role(address, relayed(PEER, stream('/libp2p/dcutr', 'inbound')))).to.equal('initiator')
      expect(role('/ip4/11.0.0.1/tcp/4001', relayed(PEER, stream('/libp2p/dcutr', 'inbound'))), 'an address without a peer id').to.equal('initiator')
      expect(role('/ip4/11.0.0.1/tcp/4001', relayed(PEER, stream('/libp2p/dcutr', 'inbound')), relayed(OTHER, stream('/libp2p/dcutr', 'outbound'))), 'of one of two punches').to.equal('responder')
    })

    it('is none without a punch to that peer', () => {
      expect(role(address)).to.equal(undefined)
      expect(role(address, relayed(PEER, stream('/ipfs/id/1.0.0', 'outbound')))).to.equal(undefined)
      expect(role(address, relayed(OTHER, stream('/libp2p/dcutr', 'outbound')))).to.equal(undefined)
      expect(role(address, { ...relayed(PEER, stream('/libp2p/dcutr', 'outbound')), remoteAddr: multiaddr(address) })).to.equal(undefined)
      expect(findPunch(components(), multiaddr(address))).to.equal(undefined)
    })
  })

  describe('first words', () => {
    async function hear (speak: (socket: net.Socket) => void, timeout?: number): Promise<{ role: string, read: string }> {
      const server = closeLater(await fakeServer(speak))
      const socket = net.connect(server)
      closeLater({ close: () => socket.destroy() })
      await pEvent(socket, 'connect')
      const role = await listenForRole(socket, { signal: timeout == null ? undefined : AbortSignal.timeout(timeout) })
      const bytes = socket.read()

      return { role, read: String(bytes ?? '') }
    }

    it('of an initiator are a header and a proposal, and stay to be read', async () => {
      expect(await hear(socket => { socket.write(`${HEADER}\x07/noise\n`) })).to.deep.equal({ role: 'responder', read: `${HEADER}\x07/noise\n` })
      expect(await hear(socket => {
        socket.write(HEADER)
        setImmediate(() => { socket.write('\x07/noise\n') })
      })).to.have.property('role', 'responder')
    })

    it('of a responder are a header alone, or nothing', async () => {
      expect(await hear(socket => { socket.write(HEADER) }, 100)).to.deep.equal({ role: 'initiator', read: HEADER })
      expect(await hear(() => {}, 100)).to.deep.equal({ role: 'initiator', read: '' })
    })

    it('never come from one that hangs up', async () => {
      expect(await hear(socket => { socket.end() })).to.have.property('role', 'initiator')
    })
  })

  describe('candidates', () => {
    const list = (...addresses: string[]): string[] => candidates(addresses.map(address => multiaddr(address))).map(String)

    it('are public TCP addresses', () => {
      expect(list('/ip4/192.168.1.2/tcp/4001', '/ip4/127.0.0.1/tcp/4001', '/ip4/11.0.0.1/udp/4001/quic-v1', '/ip4/11.0.0.1/tcp/4001/ws', '/dns4/example.org/tcp/4001', `/ip4/11.0.0.1/tcp/4001/p2p/${OTHER}/p2p-circuit`, '/unix/%2Ftmp%2Fs', '/ip4/11.0.0.1/tcp/4001')).to.deep.equal(['/ip4/11.0.0.1/tcp/4001'])
    })

    for (const family of [4, 6] as const) {
      for (const host of NOT_GLOBAL[family]) {
        it(`are never at ${host}`, () => {
          expect(list(`/ip${family}/${host}/tcp/4001`)).to.be.empty()
        })
      }
    }

    it('are read from anything that a peer may announce', () => {
      expect(list('/ip6/2a00::1/ipcidr/64/tcp/1', '/ip6zone/eth0/ip6/fe80::1/tcp/1', '/ip4/11.0.0.1/tcp/0', '/tcp/1', '/ip4/11.0.0.1', '/memory/1')).to.be.empty()
    })

    it('are few, and at one host of each IP version', () => {
      expect(list('/ip4/11.0.0.1/tcp/4001', '/ip4/11.0.0.2/tcp/4001', '/ip6/2a00::1/tcp/4001', '/ip6/2a00::2/tcp/4001')).to.deep.equal(['/ip4/11.0.0.1/tcp/4001', '/ip6/2a00::1/tcp/4001'])
      expect(list(...Array.from({ length: 1_000 }, (_, i) => `/ip4/11.0.0.1/tcp/${i + 1}`))).to.have.lengthOf(3)
      expect(list('/ip4/11.0.0.1/tcp/1', '/ip4/11.0.0.1/tcp/1')).to.have.lengthOf(1)
    })
  })

  describe('fast way', () => {
    function set (overrides: { connections?: any[], protocols?: string[], gater?: object, ours?: string[] } = {}): { identify(connection: object, ...addresses: string[]): void, dialled: string[], stop(): void } {
      const { connections = [], protocols = [DCUTR], ours = [DCUTR], gater = {} } = overrides
      const events = new TypedEventEmitter<any>()
      const dialled: string[] = []
      const punch = new FastPunch(components({
        events,
        connectionManager: { getConnections: () => connections } as any,
        connectionGater: gater,
        registrar: { getProtocols: () => ours } as any
      }), {
        punch: async (ma: Multiaddr) => {
          dialled.push(ma.toString())
          await new Promise(() => {})
        }
      })
      punch.start()
      closeLater({ close: () => { punch.stop() } })

      return {
        dialled,
        identify: (connection, ...addresses) => { events.safeDispatchEvent('peer:identify', { detail: { connection, peerId: PEER, protocols, listenAddrs: addresses.map(address => multiaddr(address)) } }) },
        stop: () => { punch.stop() }
      }
    }

    const remoteAddr = multiaddr(`/ip4/11.0.0.9/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${PEER}`)
    const outbound = (): object => ({ remoteAddr, direction: 'outbound' })
    // the gater is asked first
    const turn = async (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

    it('connects once, after a relayed connection that we have made', async () => {
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
      'a peer that is connected directly': { connections: [{ remotePeer: PEER, remoteAddr: multiaddr('/ip4/11.0.0.1/tcp/1') }] },
      'a peer that does not punch': { protocols: ['/ipfs/id/1.0.0'] },
      'every peer where we do not punch': { ours: ['/ipfs/id/1.0.0'] },
      'a peer that the gater denies': { gater: { denyDialPeer: async () => true } },
      'an address that the gater denies': { gater: { denyDialMultiaddr: async () => true } }
    })) {
      it(`leaves ${title} alone`, async () => {
        const { identify, dialled } = set(overrides)
        identify(outbound(), '/ip4/11.0.0.1/tcp/1')
        await turn()
        expect(dialled).to.be.empty()
      })
    }

    it('does not connect to many at once', async () => {
      const { identify, dialled } = set()

      for (let i = 1; i < 100; i++) {
        identify(outbound(), `/ip4/11.0.0.${i}/tcp/1`)
      }

      await turn()

      expect(dialled).to.have.lengthOf(8)
    })

    it('ends with the node', async () => {
      const { identify, dialled, stop } = set()
      stop()
      identify(outbound(), '/ip4/11.0.0.1/tcp/1')
      await turn()
      expect(dialled).to.be.empty()
    })
  })
})
