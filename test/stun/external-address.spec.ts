import { expect } from 'aegir/chai'
import { InvalidMappedAddressError } from '../../src/stun/errors.ts'
import { toExternalAddress } from '../../src/stun/external-address.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'

const v4 = { host: '192.168.1.2', port: 4001 }
const v6 = { host: 'fd00::2', port: 4001 }
const loopback = { host: '127.0.0.1', port: 4001 }

describe('external address', () => {
  it('accepts public addresses of both families', () => {
    expect(toExternalAddress({ host: '11.0.0.1', port: 50_123 }, { allowPrivate: false, local: v4 })).to.deep.equal({
      host: '11.0.0.1',
      port: 50_123
    })
    expect(toExternalAddress({ host: '2a00:1450::1', port: 1 }, { allowPrivate: false, local: v6 })).to.deep.equal({
      host: '2a00:1450::1',
      port: 1
    })
  })

  it('takes an IPv4-mapped IPv6 address as the IPv4 address', () => {
    expect(
      toExternalAddress({ host: '::ffff:11.0.0.1', port: 50_123 }, { allowPrivate: false, local: v4 })
    ).to.deep.equal({ host: '11.0.0.1', port: 50_123 })
  })

  for (const host of ['0.0.0.0', '0.1.2.3', '224.0.0.1', '255.255.255.255', '240.0.0.1']) {
    it(`never accepts ${host}`, () => {
      expect(() => toExternalAddress({ host, port: 4001 }, { allowPrivate: true, local: v4 })).to.throw(
        InvalidMappedAddressError,
        host
      )
    })
  }

  for (const host of ['::', 'ff02::1', '::ffff:1:2', '::10.0.0.1', '4000::1']) {
    it(`never accepts ${host}`, () => {
      expect(() => toExternalAddress({ host, port: 4001 }, { allowPrivate: true, local: v6 })).to.throw(
        InvalidMappedAddressError,
        host
      )
    })
  }

  for (const [family, local] of [[4, v4], [6, v6]] as const) {
    for (const host of NOT_GLOBAL[family]) {
      it(`accepts ${host} only if private addresses are allowed: not by default`, () => {
        expect(() => toExternalAddress({ host, port: 4001 }, { allowPrivate: false, local })).to.throw(
          InvalidMappedAddressError,
          host
        )
      })
    }
  }

  for (const host of ['10.0.0.1', '100.64.0.1', '169.254.1.1', '203.0.113.1', '198.18.0.1', '192.0.0.2']) {
    it(`accepts ${host} if private addresses are allowed`, () => {
      expect(toExternalAddress({ host, port: 4001 }, { allowPrivate: true, local: v4 })).to.have.property('host', host)
    })
  }

  it('accepts a loopback address only from a server on loopback', () => {
    expect(() => toExternalAddress({ host: '127.0.0.1', port: 4001 }, { allowPrivate: true, local: v4 })).to.throw(
      InvalidMappedAddressError,
      'loopback'
    )
    expect(() =>
      toExternalAddress({ host: '127.0.0.1', port: 4001 }, { allowPrivate: false, local: loopback })
    ).to.throw(InvalidMappedAddressError, 'loopback')
    expect(
      toExternalAddress({ host: '127.0.0.1', port: 4001 }, { allowPrivate: true, local: loopback })
    ).to.have.property('host', '127.0.0.1')
  })

  it('rejects port 0, another IP version and text that is no address', () => {
    expect(() => toExternalAddress({ host: '11.0.0.1', port: 0 }, { allowPrivate: true, local: v4 })).to.throw(
      InvalidMappedAddressError,
      'port 0'
    )
    expect(() => toExternalAddress({ host: '2a00::1', port: 1 }, { allowPrivate: true, local: v4 })).to.throw(
      InvalidMappedAddressError,
      'IPv4'
    )
    expect(() => toExternalAddress({ host: 'example.org', port: 1 }, { allowPrivate: true, local: v4 })).to.throw(
      InvalidMappedAddressError,
      'IPv4'
    )
  })
})
