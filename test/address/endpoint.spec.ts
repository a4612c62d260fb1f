import { expect } from 'aegir/chai'
import { formatEndpoint, isSameEndpoint } from '../../src/address/endpoint.ts'
import { toMultiaddr } from '../../src/multiaddr/net-config.ts'

describe('endpoint', () => {
  for (const [host, port, text, address] of [
    ['1.2.3.4', 3478, '1.2.3.4:3478', '/ip4/1.2.3.4/tcp/3478'],
    ['2001:db8::1', 1, '[2001:db8::1]:1', '/ip6/2001:db8::1/tcp/1']
  ] as const) {
    it(`${text} is ${address}`, () => {
      expect(formatEndpoint({ host, port })).to.equal(text)
      expect(toMultiaddr({ host, port }).toString()).to.equal(address)
    })
  }

  it('compares by address and port, IPv4-mapped or not', () => {
    const endpoint = { host: '1.2.3.4', port: 1 }
    expect(isSameEndpoint(endpoint, { ...endpoint })).to.equal(true)
    expect(isSameEndpoint(endpoint, { host: '::ffff:1.2.3.4', port: 1 })).to.equal(true)
    expect(isSameEndpoint(endpoint, { ...endpoint, port: 2 })).to.equal(false)
    expect(isSameEndpoint(endpoint, { ...endpoint, host: '1.2.3.5' })).to.equal(false)
  })
})
