import { getThinWaistAddresses } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AddressInfo } from 'node:net'

/**
 * The addresses of a listener
 *
 * @param listenAddr - what it was told to listen on
 * @param address - what the system says that it listens on
 * @param external - what the NAT maps to it
 */
export function listenerAddresses (
  listenAddr: Multiaddr,
  address: AddressInfo | string,
  external: Multiaddr | undefined
): Multiaddr[] {
  if (typeof address === 'string') {
    return [multiaddr(`/unix/${encodeURIComponent(address)}`)]
  }

  // by their text: libp2p puts the host that a router forwards into a copy of an address, and
  // keeps the bytes of the local one if they have been asked for before
  const addrs = getThinWaistAddresses(listenAddr, address.port).map(addr => multiaddr(addr.toString()))

  if (external == null || addrs.some(addr => addr.toString() === external.toString())) {
    return addrs
  }

  // not last: the address manager takes the last one for the address in the LAN
  return [external, ...addrs]
}
