import { expect } from 'aegir/chai'
import { addressScope, isGlobal, isLoopback, isUnspecified } from '../../src/address/scope.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'
import type { AddressScope } from '../../src/address/scope.ts'

const ADDRESSES: Record<AddressScope, string[]> = {
  loopback: ['127.0.0.1', '127.255.255.255', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:1',
    '64:ff9b::7f00:1', '2002:7f00:1::1', '2001:0:1::80ff:fffe'],
  'link-local': ['169.254.0.0', '169.254.255.255', 'fe80::1', 'febf:ffff::1', 'fe80::1%eth0', '2002:a9fe:1::1'],
  private: [
    '10.0.0.0',
    '10.255.255.255',
    '172.16.0.0',
    '172.31.255.255',
    '192.168.0.0',
    '192.168.255.255',
    '192.0.0.1',
    'fc00::',
    'fd12:3456::1',
    'fdff:ffff::1',
    'fec0::1',
    'feff::1',
    '::ffff:10.0.0.1',
    // within NAT64, 6to4 and Teredo
    '64:ff9b::10.0.0.1',
    '64:ff9b::c0a8:1',
    '64:ff9b:1::8.8.8.8',
    '64:ff9b:1:ffff::1',
    'fdff::%1',
    '2002:C0A8:101::1',
    '2002:a01:203::1',
    '2001:0:4136:e378:8000:63bf:f5ff:fffe'
  ],
  shared: ['100.64.0.0', '100.127.255.255', '64:ff9b::100.64.0.1', '::ffff:100.64.0.1%lo', '2001::9bbf:ffff'],
  documentation: [
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.255',
    '2001:db8::1',
    '2001:db8:ffff::1',
    '3fff::1',
    '3fff:fff::1'
  ],
  benchmarking: ['198.18.0.0', '198.19.255.255', '2001:2::1'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1', 'ff0e::1'],
  unspecified: ['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', '64:ff9b::'],
  reserved: [
    '0.0.0.1',
    '0.255.255.255',
    '192.0.0.8',
    '192.0.0.10',
    '192.0.0.170',
    '100:0:0:1::1',
    '64:ff9b:0:0:0:1::1',
    '64:ff9b:2::1',
    '2001:1ff:ffff::1',
    '192.88.99.1',
    '240.0.0.0',
    '255.255.255.255',
    '::2',
    '::8.8.8.8',
    '::ffff:0:8.8.8.8',
    '100::1',
    '200::1',
    '1fff::1',
    '2001:1::1',
    '2001:10::1',
    '2001:20::1',
    '4000::1',
    '5f00::1',
    'fe00::1'
  ],
  global: [
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.1',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2000::1',
    '2001:200::1',
    '2001:4860:4860::8888',
    '2001:db7::1',
    '2001:db9::1',
    '2a00:1450::1',
    '2a00::1%eth0',
    // AS112 and AMT
    '192.31.196.1',
    '192.52.193.1',
    '192.175.48.1',
    '2620:4f:8000::1',
    '::FFFF:0808:0808',
    '3ffe:ffff::1',
    '3fff:1000::1',
    '2001:3::1',
    '2001:4:112::1',
    '2001:30::1',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '64:ff9b::808:808',
    '2002:808:808::1',
    '2001:0:4136:e378:8000:63bf:f7f7:f7f7'
  ]
}

describe('address scope', () => {
  for (const [scope, hosts] of Object.entries(ADDRESSES)) {
    for (const host of hosts) {
      it(`${host} is ${scope}`, () => {
        expect(addressScope(host)).to.equal(scope)
        expect(isGlobal(host)).to.equal(scope === 'global')
        expect(isLoopback(host)).to.equal(scope === 'loopback')
        expect(isUnspecified(host)).to.equal(scope === 'unspecified')
      })
    }
  }

  for (const text of [
    '',
    'localhost',
    'example.org',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.0.0.1',
    '1.2.3.4:80',
    '[::1]',
    ':::',
    '1::2::3'
  ]) {
    it(`${JSON.stringify(text)} has none`, () => {
      expect(addressScope(text)).to.equal(undefined)
      expect(isGlobal(text)).to.equal(false)
    })
  }

  it('is not global for what strangers may try', () => {
    expect([...NOT_GLOBAL[4], ...NOT_GLOBAL[6]].filter(isGlobal)).to.deep.equal([])
  })
})
