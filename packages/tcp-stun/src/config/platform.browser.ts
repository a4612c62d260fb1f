import { webSockets } from '@libp2p/websockets'
import { asWebSocket, canDial, directAddresses, originOf } from './browser-dials.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'

/**
 * Bundlers for browsers load this file in place of `platform.ts`: a browser cannot
 * listen, and reaches helpers over WebSockets
 */
export function defaultListen (): string[] {
  return []
}

export function directTransports (): NonNullable<Libp2pOptions['transports']> {
  return [webSockets()]
}

export function directServices (): object {
  return {}
}

/**
 * Addresses that are worth a dial while the connection to a peer is relayed
 */
export function neighbourAddresses (addresses: Multiaddr[]): Multiaddr[] {
  return directAddresses(addresses, originOf(globalThis.location))
}

/**
 * Nobody can dial a page, so the page does, whoever opened the relayed connection
 */
export const DIALS_ALONE = true

/**
 * @param helpers - their peer ids
 */
export function dialRules (helpers: ReadonlySet<string>): Pick<Libp2pOptions, 'connectionGater'> {
  const origin = originOf(globalThis.location)

  return { connectionGater: { denyDialMultiaddr: address => !canDial(address, origin, helpers) } }
}

/**
 * How this platform dials the addresses of helpers
 */
export function dialable (addresses: Multiaddr[]): Multiaddr[] {
  return addresses.map(address => asWebSocket(address, originOf(globalThis.location)))
}
