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
