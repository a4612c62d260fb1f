import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { candidates } from '../../src/punch/candidates.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'

const OTHER = '12D3KooWFwvq5Ke8pTmUL6fgNDpHtxpVLKV7UYCjVYZTdLQdBmSN'

describe('candidates of a hole punch', () => {
  const list = (...addresses: string[]): string[] =>
    candidates(addresses.map(address => multiaddr(address))).map(String)

  it('are public TCP addresses', () => {
    expect(
      list(
        '/ip4/192.168.1.2/tcp/4001',
        '/ip4/127.0.0.1/tcp/4001',
        '/ip4/11.0.0.1/udp/4001/quic-v1',
        '/ip4/11.0.0.1/tcp/4001/ws',
        '/dns4/example.org/tcp/4001',
        `/ip4/11.0.0.1/tcp/4001/p2p/${OTHER}/p2p-circuit`,
        '/unix/%2Ftmp%2Fs',
        '/ip4/11.0.0.1/tcp/4001'
      )
    ).to.deep.equal(['/ip4/11.0.0.1/tcp/4001'])
  })

  for (const family of [4, 6] as const) {
    for (const host of NOT_GLOBAL[family]) {
      it(`are never at ${host}`, () => {
        expect(list(`/ip${family}/${host}/tcp/4001`)).to.be.empty()
      })
    }
  }

  it('are read from anything that a peer may announce', () => {
    expect(
      list(
        '/ip6/2a00::1/ipcidr/64/tcp/1',
        '/ip6zone/eth0/ip6/fe80::1/tcp/1',
        '/ip4/11.0.0.1/tcp/0',
        '/tcp/1',
        '/ip4/11.0.0.1',
        '/memory/1'
      )
    ).to.be.empty()
  })

  it('are few, and at one host of each IP version', () => {
    expect(
      list('/ip4/11.0.0.1/tcp/4001', '/ip4/11.0.0.2/tcp/4001', '/ip6/2a00::1/tcp/4001', '/ip6/2a00::2/tcp/4001')
    ).to.deep.equal(['/ip4/11.0.0.1/tcp/4001', '/ip6/2a00::1/tcp/4001'])
    expect(list(...Array.from({ length: 1_000 }, (_, i) => `/ip4/11.0.0.1/tcp/${i + 1}`))).to.have.lengthOf(3)
    expect(list('/ip4/11.0.0.1/tcp/1', '/ip4/11.0.0.1/tcp/1')).to.have.lengthOf(1)
  })
})
