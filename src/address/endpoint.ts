import { unmapIPv4 } from './ip.ts'

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
 * Whether two endpoints are the same, one of them possibly IPv4-mapped
 */
export function isSameEndpoint (a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && (a.host === b.host || unmapIPv4(a.host) === unmapIPv4(b.host))
}
