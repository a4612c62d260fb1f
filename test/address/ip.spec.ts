import { expect } from 'aegir/chai'
import { subnetOf, unmapIPv4 } from '../../src/address/ip.ts'

describe('IP address', () => {
  for (const [host, unmapped] of [
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::FFFF:1.2.3.4', '1.2.3.4'],
    ['::ffff:102:304', '1.2.3.4'],
    ['0:0:0:0:0:ffff:102:304', '1.2.3.4'],
    ['1.2.3.4', '1.2.3.4'],
    ['::1.2.3.4', '::1.2.3.4'],
    ['::1', '::1'],
    ['64:ff9b::1.2.3.4', '64:ff9b::1.2.3.4'],
    ['example.org', 'example.org'],
    ['not:an:address', 'not:an:address']
  ]) {
    it(`${host} without IPv4-mapping is ${unmapped}`, () => {
      expect(unmapIPv4(host)).to.equal(unmapped)
    })
  }

  for (const [host, ipv4, ipv6, subnet] of [
    ['1.2.3.4', 32, 64, '1.2.3.4/32'],
    ['1.2.3.4', 24, 48, '1.2.3.0/24'],
    ['1.2.255.4', 17, 48, '1.2.128.0/17'],
    ['1.2.3.4', 0, 0, '0.0.0.0/0'],
    ['::ffff:1.2.3.4', 24, 64, '1.2.3.0/24'],
    ['::ffff:102:304', 24, 64, '1.2.3.0/24'],
    ['2001:db8:1:2:3:4:5:6', 24, 64, '2001:db8:1:2::/64'],
    ['2001:db8:1:2ff:3:4:5:6', 24, 56, '2001:db8:1:200::/56'],
    ['2001:db8:1:2:3:4:5:6', 24, 48, '2001:db8:1::/48'],
    ['2001:db8:1:2:3:4:5:6', 24, 128, '2001:db8:1:2:3:4:5:6/128'],
    ['2001:DB8:0:0::6', 24, 64, '2001:db8::/64'],
    ['fe80::1%eth0', 24, 64, 'fe80::/64'],
    ['example.org', 24, 64, 'example.org']
  ] as const) {
    it(`${host} is in the subnet ${subnet}`, () => {
      expect(subnetOf(host, { ipv4, ipv6 })).to.equal(subnet)
    })
  }
})
