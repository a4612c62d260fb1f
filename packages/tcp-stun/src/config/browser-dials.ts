import { isPrivate } from '@libp2p/utils'
import { CODE_IP4, CODE_IP6, CODE_P2P, CODE_TCP, CODE_TLS, CODE_WS, CODE_WSS, multiaddr } from '@multiformats/multiaddr'
import { WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Where a page comes from
 */
export interface PageOrigin {
  /**
   * Whether the browser refuses it connections without TLS
   */
  isSecure: boolean

  /**
   * Whether it comes from this machine or its network
   */
  isLocal: boolean
}

/**
 * Whether a page can dial an address. Each dial that cannot work costs seconds, and a line in
 * the browser's console. libp2p's own rule has no WebSockets without TLS, and so no helper
 * without a certificate. Helpers, by their peer ids, and what is reached through them are what
 * the user wants, at any address.
 */
export function canDial (address: Multiaddr, { isSecure, isLocal }: PageOrigin, helpers: ReadonlySet<string>): boolean {
  const components = address.getComponents()
  const first = components.find(({ code }) => code === CODE_P2P)?.value

  if (first != null && helpers.has(first)) {
    return true
  }

  const codes = new Set(components.map(({ code }) => code))
  const isPlain = codes.has(CODE_WS) && !codes.has(CODE_TLS) && !codes.has(CODE_WSS)

  return !(isPlain && isSecure) && (isLocal || !isPrivate(address))
}

/**
 * More are not dialled: a peer names as many as it likes
 */
const MAX_ADDRESSES = 4

/**
 * Those addresses of a peer that a page can dial without the relay, the likeliest first
 */
export function directAddresses (addresses: Multiaddr[], origin: PageOrigin): Multiaddr[] {
  return addresses
    .filter(address => WebSockets.exactMatch(address) || WebSocketsSecure.exactMatch(address))
    .filter(address => canDial(address, origin, new Set()))
    .sort((a, b) => Number(isPrivate(a)) - Number(isPrivate(b)))
    .slice(0, MAX_ADDRESSES)
}

/**
 * The form of a helper's address that a page can dial: its TCP port takes WebSockets too.
 * With TLS only by name, since a certificate is rarely for an IP address.
 */
export function asWebSocket (address: Multiaddr, { isSecure }: PageOrigin): Multiaddr {
  const [host, tcp, ...others] = address.getComponents()

  if (tcp?.code !== CODE_TCP || others.some(({ code }) => code !== CODE_P2P)) {
    return address
  }

  const isIP = host.code === CODE_IP4 || host.code === CODE_IP6
  const names = isSecure && !isIP ? ['tls', 'ws'] : ['ws']
  const [, rest = ''] = address.toString().split(`/tcp/${tcp.value}`)

  return multiaddr(`/${host.name}/${host.value}/tcp/${tcp.value}/${names.join('/')}${rest}`)
}

/**
 * React Native has no location
 */
export function originOf (location?: { protocol: string, hostname: string }): PageOrigin {
  if (location == null) {
    return { isSecure: false, isLocal: true }
  }

  return { isSecure: location.protocol === 'https:', isLocal: isLocalHost(location.hostname) }
}

function isLocalHost (hostname: string): boolean {
  if (hostname === '' || hostname === 'localhost' || hostname.endsWith('.local')) {
    return true
  }

  const host = hostname.replace(/^\[|\]$/g, '')

  try {
    return isPrivate(multiaddr(`/ip${host.includes(':') ? 6 : 4}/${host}/tcp/1`))
  } catch {
    // a name
    return false
  }
}
