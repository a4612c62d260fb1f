import os from 'node:os'
import { tcpSTUN } from 'libp2p-tcp-stun'
import { dcutr } from 'libp2p-tcp-stun/dcutr'
import { onOwnNetworks } from './neighbours.ts'
import { parseCredential } from './stun-credential.ts'
import type { HelperConfigInit } from './index.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Libp2pOptions } from 'libp2p'
import type { DCUtR, DCUtRInit } from 'libp2p-tcp-stun/dcutr'

/**
 * NATs forget a silent TCP connection, the strictest after 30 s, in ms
 */
const KEEP_ALIVE_DELAY = 25_000
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY }

/**
 * What a node of Node.js has beyond one in a browser: it listens, and dials over TCP
 */
export function defaultListen (): string[] {
  return ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0']
}

/**
 * @throws {Error} the credential is not a name and a password
 */
export function directTransports ({
  stunServers,
  stunCredential: credential,
  webSockets
}: Pick<HelperConfigInit, 'stunServers' | 'stunCredential' | 'webSockets'>): NonNullable<Libp2pOptions['transports']> {
  const stunCredential = credential == null ? undefined : parseCredential(credential)

  return [tcpSTUN({ stunServers, stunCredential, webSockets, dialOpts: KEEP_ALIVE, listenOpts: KEEP_ALIVE })]
}

export function directServices (init: DCUtRInit): { dcutr(components: any): DCUtR } {
  return { dcutr: dcutr(init) }
}

/**
 * The addresses at which a peer may be on the same local network
 */
export function neighbourAddresses (addresses: Multiaddr[]): Multiaddr[] {
  const interfaces = Object.values(os.networkInterfaces())
    .flatMap(list => list?.flatMap(({ cidr }) => cidr ?? []) ?? [])

  return onOwnNetworks(addresses, interfaces)
}

/**
 * The other side dials too
 */
export const DIALS_ALONE: boolean = false

/**
 * Those of libp2p
 */
export const dialRules: (helpers: ReadonlySet<string>) => Pick<Libp2pOptions, 'connectionGater'> = () => ({})

/**
 * As they are
 */
export function dialable (addresses: Multiaddr[]): Multiaddr[] {
  return addresses
}
