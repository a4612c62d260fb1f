import { toIPEndpoint } from 'libp2p-tcp-stun/multiaddr'
import { addressScope, subnetOf } from 'libp2p-tcp-stun/net'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * An address of this machine with the length of its network's prefix, like 192.168.1.2/24
 */
export type InterfaceAddress = string

/**
 * More are not dialled: a peer names as many as it likes
 */
const MAX_ADDRESSES = 4

/**
 * Those addresses of a peer that are private, and on a network that this machine is on too.
 * Many homes use the same networks, so another machine may have such an address here.
 */
export function onOwnNetworks (addresses: Multiaddr[], interfaces: InterfaceAddress[]): Multiaddr[] {
  return addresses.filter(address => {
    const host = toIPEndpoint(address)?.host

    return host != null && addressScope(host) === 'private' && interfaces.some(own => isBeside(host, own))
  }).slice(0, MAX_ADDRESSES)
}

/**
 * Whether a host is another one on the network of an interface
 */
function isBeside (host: string, own: InterfaceAddress): boolean {
  const [ownHost, text] = own.split('/')
  const prefix = { ipv4: Number(text), ipv6: Number(text) }

  return host !== ownHost && host.includes(':') === ownHost.includes(':') &&
    subnetOf(host, prefix) === subnetOf(ownHost, prefix)
}
