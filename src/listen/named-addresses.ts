import { CONFIRM_TTL } from '../constants.ts'
import { isSamePort } from '../multiaddr/net-config.ts'
import { knownAddresses } from './known-addresses.ts'
import type { ObservedAddresses } from '../components.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * A name that AutoTLS has for the external address is as good as the address: it is the
 * same port. So it is confirmed, or withdrawn, with the address.
 */
export function judgeNames (addressManager: ObservedAddresses | undefined, external: Multiaddr | undefined): void {
  if (addressManager == null || external == null) {
    return
  }

  const known = knownAddresses(addressManager) ?? []
  const isDialable = known.some(({ multiaddr, verified }) => verified && multiaddr.equals(external))

  for (const { multiaddr, type, verified } of known) {
    if (type !== 'dns-mapping' || verified === isDialable || !isSamePort(multiaddr, external)) {
      continue
    }

    if (isDialable) {
      addressManager.confirmObservedAddr(multiaddr, { ttl: CONFIRM_TTL })
    } else {
      addressManager.removeObservedAddr(multiaddr)
    }
  }
}
