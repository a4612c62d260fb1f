import { webSockets } from '@libp2p/websockets'
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

export function neighbourAddresses (): Multiaddr[] {
  return []
}
