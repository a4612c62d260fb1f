import { isIP } from 'node:net'
import { unmapIPv4 } from '../address/ip.ts'

/**
 * More than a node dials in hours. Beyond it every host counts as contacted: then
 * nothing is concluded, which is safe.
 */
const MAX_HOSTS = 10_000

/**
 * The hosts that each local port has sent something to. A NAT whose filtering depends
 * on the address admits these, so their connections do not show whether it admits
 * strangers. Nothing is forgotten: how long a NAT remembers is not known.
 */
export class ContactedHosts {
  private readonly ports = new Map<number, Set<string>>()
  private readonly limit: number

  /**
   * @param limit - how many hosts are remembered for each port
   */
  constructor (limit = MAX_HOSTS) {
    this.limit = limit
  }

  /**
   * @param port - the local port
   * @param host - an IP address; anything else is ignored
   */
  add (port: number, host: string): void {
    const hosts = this.ports.get(port) ?? new Set()

    if (isIP(host) !== 0 && hosts.size < this.limit) {
      this.ports.set(port, hosts.add(unmapIPv4(host)))
    }
  }

  /**
   * Whether the port may have sent something to the host
   */
  has (port: number, host: string): boolean {
    const hosts = this.ports.get(port)

    return hosts != null && (hosts.size >= this.limit || hosts.has(unmapIPv4(host)))
  }
}

/**
 * Those of this process. Several transports and STUN clients may share a port, and the
 * NAT cannot tell them apart.
 */
export const contactedHosts = new ContactedHosts()
