import type { NodeAddress } from '../components.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * `@libp2p/upnp-nat` confirms an address for ever, AutoNAT for some minutes, in ms
 */
const FOR_EVER = 365 * 24 * 3_600_000

/**
 * Whether the router forwards another port to this node, and that address is confirmed:
 * strangers are served by it, and need no address that nobody has tested
 */
export function isForwardedElsewhere (addresses: NodeAddress[], external: Multiaddr): boolean {
  const [{ code }] = external.getComponents()

  return addresses.some(({ multiaddr, type, verified }) =>
    type === 'ip-mapping' && verified && multiaddr.getComponents()[0].code === code && !isSame(multiaddr, external))
}

/**
 * Whether the router forwards this very address, and a service that has asked it to has
 * confirmed that for good (`autoConfirmAddress` of `@libp2p/upnp-nat`). Such a service
 * confirms once: nobody else may withdraw it.
 *
 * @param addresses - what the address manager knows
 * @param external - the address
 * @param date - in ms since the epoch
 */
export function isForwardedForGood (addresses: NodeAddress[], external: Multiaddr, date: number): boolean {
  return addresses.some(({ multiaddr, type, verified, expires }) =>
    type === 'ip-mapping' && verified && expires - date > FOR_EVER && isSame(multiaddr, external))
}

/**
 * By their text: the bytes of an `ip-mapping` may be those of the local address, since
 * libp2p replaces the host in a multiaddr whose bytes are cached
 */
export function isSame (mapping: Multiaddr, external: Multiaddr): boolean {
  return mapping.toString() === external.toString()
}
