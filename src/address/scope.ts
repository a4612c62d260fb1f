import { BlockList, isIPv6 } from 'node:net'

/**
 * Who can send to an address:
 *
 * - `loopback`: this machine
 * - `link-local`: the cable or the radio network it is on
 * - `private`: its own network (RFC 1918, and RFC 4193 for IPv6)
 * - `shared`: the network between a carrier and its customers, 100.64.0.0/10 (RFC 6598)
 * - `global`: everybody, as far as routers and firewalls let them
 */
export type AddressScope = 'loopback' | 'link-local' | 'private' | 'shared' | 'global'

const SUBNETS: Array<[AddressScope, string, number]> = [
  ['loopback', '127.0.0.0', 8],
  ['loopback', '::1', 128],
  ['link-local', '169.254.0.0', 16],
  ['link-local', 'fe80::', 10],
  ['private', '10.0.0.0', 8],
  ['private', '172.16.0.0', 12],
  ['private', '192.168.0.0', 16],
  ['private', 'fc00::', 7],
  ['shared', '100.64.0.0', 10]
]

const SCOPES = SUBNETS.map(([scope, address, prefix]) => {
  const list = new BlockList()
  list.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4')

  return { scope, list }
})

export function addressScope (host: string): AddressScope {
  return SCOPES.find(({ list }) => list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4'))?.scope ?? 'global'
}
