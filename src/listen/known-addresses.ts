import type { Verification } from './reachability.ts'
import type { NodeAddress, ObservedAddresses } from '../components.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The address managers that are being read: they ask all listeners for their addresses,
 * and these would read again
 */
const reading = new WeakSet<ObservedAddresses>()

/**
 * All addresses that the address manager knows
 *
 * @returns nothing while it is being read
 */
export function knownAddresses (addressManager: ObservedAddresses | undefined): NodeAddress[] | undefined {
  if (addressManager == null || reading.has(addressManager)) {
    return
  }

  reading.add(addressManager)

  try {
    return addressManager.getAddressesWithMetadata()
  } finally {
    reading.delete(addressManager)
  }
}

/**
 * What the address manager says of an address
 *
 * @returns nothing while it is being read
 */
export function findVerification (
  addressManager: ObservedAddresses | undefined,
  address: Multiaddr
): Verification | undefined {
  const addresses = knownAddresses(addressManager)
  const known = addresses?.find(({ multiaddr }) => multiaddr.equals(address))

  return addresses == null ? undefined : { verified: known?.verified ?? false, expires: known?.expires ?? 0 }
}
