import { toBytes } from './ip.ts'

/**
 * How far an address reaches:
 *
 * - `loopback`: this machine
 * - `link-local`: the link it is on
 * - `private`: one organisation's network (RFC 1918, RFC 4193)
 * - `shared`: the network between a carrier and its customers, 100.64.0.0/10 (RFC 6598)
 * - `documentation`: examples in texts
 * - `benchmarking`: test networks (RFC 2544, RFC 5180)
 * - `multicast`: a group of hosts
 * - `unspecified`: no address, or all addresses of this machine: 0.0.0.0 and ::
 * - `reserved`: no host has it
 * - `global`: the internet, as far as routers and firewalls allow
 */
export type AddressScope = 'loopback' | 'link-local' | 'private' | 'shared' | 'documentation' | 'benchmarking' |
  'multicast' | 'unspecified' | 'reserved' | 'global'

/**
 * The IPv4 address within an IPv6 address decides its scope
 */
interface EmbeddedIPv4 {
  /**
   * The index of its first byte
   */
  ipv4At: number

  /**
   * Whether its bits are inverted
   */
  inverted?: boolean
}

interface Network {
  bytes: Uint8Array
  prefix: number
  scope: AddressScope | EmbeddedIPv4
}

/**
 * The IANA IPv4 and IPv6 Special-Purpose Address Registries and the address
 * space registries beneath them. The longest prefix decides.
 */
const REGISTRY: Array<[network: string, scope: AddressScope | EmbeddedIPv4]> = [
  ['0.0.0.0/0', 'global'],
  ['0.0.0.0/8', 'reserved'],
  ['0.0.0.0/32', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'shared'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private'],
  // IETF protocol assignments, among them anycast addresses of a provider's own services
  ['192.0.0.0/24', 'reserved'],
  // between a DS-Lite customer and its provider (RFC 7335)
  ['192.0.0.0/29', 'private'],
  ['192.0.2.0/24', 'documentation'],
  // 6to4 relay anycast, deprecated
  ['192.88.99.0/24', 'reserved'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],

  // only 2000::/3 is allocated as global unicast
  ['::/0', 'reserved'],
  ['2000::/3', 'global'],
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  // NAT64: the well-known prefix (RFC 6052), and the one for local use (RFC 8215)
  ['64:ff9b::/96', { ipv4At: 12 }],
  ['64:ff9b:1::/48', 'private'],
  // IETF protocol assignments
  ['2001::/23', 'reserved'],
  // Teredo: the client's address (RFC 4380, section 4)
  ['2001::/32', { ipv4At: 12, inverted: true }],
  ['2001:2::/48', 'benchmarking'],
  // AMT, AS112 and Drone Remote ID: the globally reachable ones of 2001::/23 that are routed
  ['2001:3::/32', 'global'],
  ['2001:4:112::/48', 'global'],
  ['2001:30::/28', 'global'],
  ['2001:db8::/32', 'documentation'],
  // 6to4 (RFC 3056)
  ['2002::/16', { ipv4At: 2 }],
  ['3fff::/20', 'documentation'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'link-local'],
  // site-local, deprecated (RFC 3879)
  ['fec0::/10', 'private'],
  ['ff00::/8', 'multicast']
]

const NETWORKS = REGISTRY.map(([network, scope]) => toNetwork(network, scope)).sort((a, b) => b.prefix - a.prefix)

/**
 * How far an address reaches. An IPv4-mapped IPv6 address reaches as far as the
 * IPv4 address.
 *
 * @returns `undefined` when the text is not an IP address
 */
export function addressScope (host: string): AddressScope | undefined {
  const bytes = toBytes(host)

  return bytes == null ? undefined : scopeOf(bytes)
}

/**
 * Whether an address is one of the public internet
 */
export function isGlobal (host: string): boolean {
  return addressScope(host) === 'global'
}

/**
 * Whether an address is one of this machine only: 127.0.0.0/8 or ::1
 */
export function isLoopback (host: string): boolean {
  return addressScope(host) === 'loopback'
}

/**
 * Whether an address stands for all addresses of this machine: 0.0.0.0 or ::
 */
export function isUnspecified (host: string): boolean {
  return addressScope(host) === 'unspecified'
}

function scopeOf (bytes: Uint8Array): AddressScope {
  const scope = NETWORKS.find(network => contains(network, bytes))?.scope ?? 'reserved'

  return typeof scope === 'string' ? scope : scopeOf(embeddedIPv4(bytes, scope))
}

function contains ({ bytes, prefix }: Network, address: Uint8Array): boolean {
  const whole = prefix >>> 3

  for (let i = 0; i < whole; i++) {
    if (bytes[i] !== address[i]) {
      return false
    }
  }

  return whole === 16 || (bytes[whole] ^ address[whole]) >>> (8 - (prefix & 7)) === 0
}

/**
 * The embedded IPv4 address as an IPv4-mapped one
 */
function embeddedIPv4 (bytes: Uint8Array, { ipv4At, inverted = false }: EmbeddedIPv4): Uint8Array {
  const mapped = new Uint8Array(16)
  mapped.fill(0xff, 10, 12)
  bytes.subarray(ipv4At, ipv4At + 4).forEach((byte, i) => { mapped[12 + i] = inverted ? byte ^ 0xff : byte })

  return mapped
}

function toNetwork (network: string, scope: AddressScope | EmbeddedIPv4): Network {
  const [host, prefix] = network.split('/')
  const bytes = toBytes(host)

  if (bytes == null) {
    throw new TypeError(`Not an IP network: ${network}`)
  }

  return { bytes, prefix: Number(prefix) + (host.includes(':') ? 0 : 96), scope }
}
