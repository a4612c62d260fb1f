import { getThinWaistAddresses } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { AddressInfo } from 'node:net'

/**
 * How a listener's port can be dialled besides plain TCP: not at all, by `ws`, or by `ws`
 * and `wss`
 */
export type WebSocketsSupport = 'none' | 'plain' | 'secure'

const FORMS: Record<WebSocketsSupport, string[]> = {
  none: [],
  plain: ['/ws'],
  secure: ['/tls/ws', '/ws']
}

export interface ListenerAddressesOptions {
  /**
   * What the NAT maps to the listener
   */
  external?: Multiaddr
  webSockets: WebSocketsSupport
}

/**
 * The addresses of a listener
 *
 * @param listenAddr - what it was told to listen on
 * @param address - what the system says that it listens on
 */
export function listenerAddresses (
  listenAddr: Multiaddr,
  address: AddressInfo | string,
  { external, webSockets }: ListenerAddressesOptions
): Multiaddr[] {
  if (typeof address === 'string') {
    return [multiaddr(`/unix/${encodeURIComponent(address)}`)]
  }

  // by their text: libp2p puts the host that a router forwards into a copy of an address, and
  // keeps the bytes of the local one if they have been asked for before
  const local = getThinWaistAddresses(listenAddr, address.port).map(addr => multiaddr(addr.toString()))
  const isLocal = local.some(addr => addr.toString() === external?.toString())
  // not last: the address manager takes the host of the last one for that in the LAN
  const all = external == null || isLocal ? local : [external, ...local]

  return all.flatMap(addr => [addr, ...FORMS[webSockets].map(form => multiaddr(`${addr}${form}`))])
}
