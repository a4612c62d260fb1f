import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { ownAddresses, partnerAddresses } from '../../src/dcutr/addresses.ts'
import type { DCUtRComponents } from '../../src/dcutr/components.ts'

const PEER = '12D3KooWRCJXEfuYwF89R272SRcw4tYZRCrFHe7CMioWHWKmkSFW'
const RELAY = '12D3KooWHXxpKvJJEMtJ8tGGffqqkkQBMdyAFwy9uMVDPC8fGdbz'

function partner (...addresses: string[]): string[] {
  return partnerAddresses(addresses.map(address => multiaddr(address).bytes), peerIdFromString(PEER), []).map(String)
}

describe('addresses of a hole punch', () => {
  it('dials public TCP addresses of the partner, each once, with its peer id', () => {
    expect(
      partner('/ip4/1.2.3.4/tcp/4001', `/ip4/1.2.3.4/tcp/4001/p2p/${PEER}`, '/ip6/2a00::1/tcp/4001')
    ).to.deep.equal([`/ip4/1.2.3.4/tcp/4001/p2p/${PEER}`, `/ip6/2a00::1/tcp/4001/p2p/${PEER}`])
  })

  for (const address of [
    `/ip4/1.2.3.4/tcp/4001/p2p/${RELAY}/p2p-circuit`,
    `/ip4/1.2.3.4/tcp/4001/p2p/${RELAY}/p2p-circuit/p2p/${PEER}`,
    '/ip4/192.168.1.2/tcp/4001',
    '/ip4/127.0.0.1/tcp/4001',
    '/ip4/100.64.0.1/tcp/4001',
    '/ip4/224.0.0.1/tcp/4001',
    '/ip4/255.255.255.255/tcp/4001',
    '/ip4/0.0.0.0/tcp/4001',
    '/ip6/::1/tcp/4001',
    '/ip6/fe80::1/tcp/4001',
    '/ip6/64:ff9b::c0a8:102/tcp/4001',
    '/ip6/::ffff:192.168.1.2/tcp/4001',
    '/ip4/1.2.3.4/tcp/0',
    '/ip4/1.2.3.4/udp/4001/quic-v1',
    '/ip4/1.2.3.4/tcp/4001/ws',
    '/dns4/example.org/tcp/4001',
    '/unix/tmp%2Fsocket'
  ]) {
    it(`does not dial ${address.replaceAll(PEER, 'PEER').replaceAll(RELAY, 'RELAY')}`, () => {
      expect(partner(address)).to.deep.equal([])
    })
  }

  it('ignores bytes that are not a multiaddr', () => {
    expect(
      partnerAddresses(
        [Uint8Array.from([]), Uint8Array.from([4, 1, 2]), Uint8Array.from([0xff, 0xff, 0xff, 1])],
        peerIdFromString(PEER),
        []
      )
    ).to.deep.equal([])
  })

  it('does not dial this node, but another one at the same public address', () => {
    const own = [multiaddr('/ip4/1.2.3.4/tcp/4001')]
    const addresses = ['/ip4/1.2.3.4/tcp/4001', `/ip4/1.2.3.4/tcp/4001/p2p/${PEER}`, '/ip4/1.2.3.4/tcp/4002']
    const dialled = partnerAddresses(addresses.map(address => multiaddr(address).bytes), peerIdFromString(PEER), own)

    expect(dialled.map(String)).to.deep.equal([`/ip4/1.2.3.4/tcp/4002/p2p/${PEER}`])
  })

  it('dials eight of a thousand', () => {
    expect(partner(...Array.from({ length: 1_000 }, (_, i) => `/ip4/1.2.3.4/tcp/${i + 1}`))).to.have.lengthOf(8)
  })

  it('tells the partner public addresses that are not confirmed, and nothing else', () => {
    const external = multiaddr('/ip4/1.2.3.4/tcp/50123')
    const addressManager = {
      getAddresses: () => [
        multiaddr('/ip4/192.168.1.2/tcp/4001'),
        multiaddr(`/ip4/9.9.9.9/tcp/1/p2p/${RELAY}/p2p-circuit`)
      ]
    }
    const transportManager = {
      getListeners: () => [
        { getAddrs: () => [external, multiaddr('/ip4/192.168.1.2/tcp/4001'), multiaddr('/ip4/127.0.0.1/tcp/4001')] }
      ]
    }

    expect(ownAddresses({ addressManager, transportManager } as unknown as DCUtRComponents)).to.deep.equal([external])
  })
})
