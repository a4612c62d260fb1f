import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { detectRole, findPunch } from '../../src/punch/role.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components } from '../fixtures/components.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'

const PEER = '12D3KooWQgZPPKBL3kZg6d44ougupt6QytBKG17MG4Dm7YbyJP9b'
const OTHER = '12D3KooWFwvq5Ke8pTmUL6fgNDpHtxpVLKV7UYCjVYZTdLQdBmSN'
const RELAY = '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X'
const HEADER = '\x13/multistream/1.0.0\n'

describe('role in a hole punch', () => {
  const { closeLater } = closesAfterEach()

  describe('by the stream of DCUtR', () => {
    const stream = (protocol: string, direction: string): any => ({ protocol, direction })
    // without limits: a relay may set none
    const relayed = (peer: string, ...streams: any[]): any => ({
      remoteAddr: multiaddr(`/ip4/11.0.0.9/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${peer}`),
      remotePeer: { toString: () => peer },
      streams
    })
    const role = (ma: string, ...connections: any[]): string | undefined =>
      findPunch(components({ connectionManager: { getConnections: () => connections } as any }), multiaddr(ma))?.role
    const address = `/ip4/11.0.0.1/tcp/4001/p2p/${PEER}`

    it('is responder for the side that has opened the stream', () => {
      expect(role(address, relayed(PEER, stream('/libp2p/dcutr', 'outbound')))).to.equal('responder')
      expect(role(address, relayed(PEER, stream('/libp2p/dcutr', 'inbound')))).to.equal('initiator')
      expect(
        role('/ip4/11.0.0.1/tcp/4001', relayed(PEER, stream('/libp2p/dcutr', 'inbound'))),
        'an address without a peer id'
      ).to.equal('initiator')
      expect(
        role(
          '/ip4/11.0.0.1/tcp/4001',
          relayed(PEER, stream('/libp2p/dcutr', 'inbound')),
          relayed(OTHER, stream('/libp2p/dcutr', 'outbound'))
        ),
        'two punches are under way'
      ).to.equal('responder')
    })

    it('is undefined without a punch to that peer', () => {
      expect(role(address)).to.equal(undefined)
      expect(role(address, relayed(PEER, stream('/ipfs/id/1.0.0', 'outbound')))).to.equal(undefined)
      expect(role(address, relayed(OTHER, stream('/libp2p/dcutr', 'outbound')))).to.equal(undefined)
      expect(
        role(address, { ...relayed(PEER, stream('/libp2p/dcutr', 'outbound')), remoteAddr: multiaddr(address) })
      ).to.equal(undefined)
      expect(findPunch(components(), multiaddr(address))).to.equal(undefined)
    })
  })

  describe('by the first bytes', () => {
    async function detect (
      send: (socket: net.Socket) => void,
      timeout?: number
    ): Promise<{ role: string; read: string }> {
      const server = closeLater(await fakeServer(send))
      const socket = net.connect(server)
      closeLater({ close: () => socket.destroy() })
      await pEvent(socket, 'connect')
      const role = await detectRole(socket, { signal: timeout == null ? undefined : AbortSignal.timeout(timeout) })
      const bytes = socket.read()

      return { role, read: String(bytes ?? '') }
    }

    it('is responder when the remote side sends a header and a proposal, which stay in the socket', async () => {
      expect(
        await detect(socket => { socket.write(`${HEADER}\x07/noise\n`) })
      ).to.deep.equal({ role: 'responder', read: `${HEADER}\x07/noise\n` })
      expect(await detect(socket => {
        socket.write(HEADER)
        setImmediate(() => { socket.write('\x07/noise\n') })
      })).to.have.property('role', 'responder')
    })

    it('is initiator when the remote side sends a header alone, or nothing', async () => {
      expect(await detect(socket => { socket.write(HEADER) }, 100)).to.deep.equal({ role: 'initiator', read: HEADER })
      expect(await detect(() => {}, 100)).to.deep.equal({ role: 'initiator', read: '' })
    })

    it('takes a fraction of a millisecond, as a measured round trip has', async () => {
      const server = closeLater(await fakeServer(() => {}))
      const socket = net.connect(server)
      closeLater({ close: () => socket.destroy() })
      await pEvent(socket, 'connect')

      expect(await detectRole(socket, { timeout: 20.5 })).to.equal('initiator')
    })

    it('is initiator when the remote side hangs up', async () => {
      expect(await detect(socket => { socket.end() })).to.have.property('role', 'initiator')
    })
  })
})
