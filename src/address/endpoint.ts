import { isIPv6 } from 'node:net'

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
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}
