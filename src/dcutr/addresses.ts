import { CODE_P2P, CODE_P2P_CIRCUIT, multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { isGlobal } from '../address/scope.ts'
import { isSamePort, toIPEndpoint } from '../multiaddr/net-config.ts'
import { endpointDependentAddresses } from './endpoint-dependent.ts'
import type { DCUtRComponents } from './components.ts'
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * A partner names as many addresses as it likes. More than these are not dialled, so
 * that nobody can use us to flood others.
 */
const MAX_ADDRESSES = 8

/**
 * Whether strangers may be sent to this address, or we to it: a numeric, public
 * address that is not relayed. Names are not resolved for a punch.
 */
export function isPunchable (ma: Multiaddr): boolean {
  const components = ma.getComponents()
  const endpoint = toIPEndpoint(ma)

  return endpoint != null && isGlobal(endpoint.host) && !components.some(({ code }) => code === CODE_P2P_CIRCUIT)
}

/**
 * The public TCP addresses of this node, confirmed or not. The mapped address of a
 * port behind a filtering NAT is not confirmed, since strangers cannot dial it, but
 * it is what a partner needs to know. So is the address of an endpoint-dependent NAT,
 * which nobody else is told.
 */
export function ownAddresses ({
  addressManager,
  transportManager
}: Pick<DCUtRComponents, 'addressManager' | 'transportManager'>): Multiaddr[] {
  const listeners = transportManager.getListeners()

  return usable([
    ...addressManager.getAddresses(),
    ...listeners.flatMap(listener => listener.getAddrs()),
    ...endpointDependentAddresses(listeners)
  ])
}

/**
 * Whether strangers can dial this node, as far as it knows: one of its public TCP
 * addresses is confirmed
 */
export function hasDialableAddress ({ addressManager }: Pick<DCUtRComponents, 'addressManager'>): boolean {
  return usable(addressManager.getAddresses()).length > 0
}

/**
 * The addresses of a CONNECT message that can be dialled, complete with the peer id.
 * Anything invalid is left out.
 */
export function partnerAddresses (addresses: Uint8Array[], peer: PeerId, own: Multiaddr[]): Multiaddr[] {
  return punchable(addresses.flatMap(bytes => {
    try {
      return [multiaddr(bytes)]
    } catch {
      return []
    }
  }), peer, own)
}

/**
 * @param addresses - that the peer says are its own
 * @param peer
 * @param own - ours: a router that passes it back inside would have us connect to ourselves
 */
export function punchable (addresses: Multiaddr[], peer: PeerId, own: Multiaddr[]): Multiaddr[] {
  return usable(addresses)
    .filter(ma => !own.some(other => isSamePort(ma, other)))
    .slice(0, MAX_ADDRESSES)
    .map(ma => ma.encapsulate(`/p2p/${peer}`))
}

/**
 * Without the peer id, and each once. A relayed address is left out as a whole: without
 * its last part it would be the relay's own.
 */
function usable (addresses: Multiaddr[]): Multiaddr[] {
  const found = addresses
    .filter(isPunchable)
    .map(ma => ma.decapsulateCode(CODE_P2P))
    .filter(ma => TCP.exactMatch(ma))

  return [...new Map(found.map(ma => [ma.toString(), ma])).values()]
}
