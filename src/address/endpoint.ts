import { multiaddr } from '@multiformats/multiaddr'
import { unmapIPv4 } from './ip.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * An IP address and a port
 */
export interface Endpoint {
  /**
   * A numeric IPv4 or IPv6 address, without brackets or zone
   */
  host: string

  /**
   * 0 to 65535
   */
  port: number
}

/**
 * As in a URI: 1.2.3.4:3478 or [::1]:3478
 */
export function formatEndpoint ({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * As a multiaddr: /ip4/1.2.3.4/tcp/3478 or /ip6/::1/tcp/3478
 */
export function toMultiaddr ({ host, port }: Endpoint): Multiaddr {
  return multiaddr(`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`)
}

/**
 * Whether two endpoints are the same, one of them possibly IPv4-mapped
 */
export function isSameEndpoint (a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && (a.host === b.host || unmapIPv4(a.host) === unmapIPv4(b.host))
}
