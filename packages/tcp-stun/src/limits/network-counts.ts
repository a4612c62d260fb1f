import { isIPv6 } from 'node:net'
import { subnetOf } from 'libp2p-tcp-stun/net'

/**
 * A subscriber mostly has a whole IPv6 network, and a hosting customer several.
 * Each of these networks may have `factor` times as much as an address.
 */
const IPV6_NETWORKS = [
  { prefix: 64, factor: 1 },
  { prefix: 56, factor: 2 },
  { prefix: 48, factor: 4 }
]

/**
 * How much of something the peers of each network have, so that those of one network cannot
 * take everything: of an IPv4 address, or of an IPv6 /64, /56 and /48
 */
export class NetworkCounts {
  private readonly maxPerAddress: number
  private readonly counts = new Map<string, number>()

  /**
   * @param maxPerAddress - for an IPv4 address or an IPv6 /64. A /56 may have twice as much, a
   * /48 four times as much.
   */
  constructor (maxPerAddress: number) {
    this.maxPerAddress = maxPerAddress
  }

  /**
   * Whether the networks of these IP addresses may have one more
   *
   * @param hosts - of one peer
   * @param before - networks that have it already
   */
  hasRoom (hosts: string[], before: string[] = []): boolean {
    return hosts.flatMap(host => this.limitsOf(host))
      .every(([network, max]) => before.includes(network) || (this.counts.get(network) ?? 0) < max)
  }

  /**
   * Count one more for each network of these IP addresses
   *
   * @returns the networks, from which it is removed later
   */
  add (hosts: string[]): string[] {
    const networks = [...new Set(hosts.flatMap(host => this.limitsOf(host).map(([network]) => network)))]
    networks.forEach(network => { this.change(network, 1) })

    return networks
  }

  remove (networks: string[]): void {
    networks.forEach(network => { this.change(network, -1) })
  }

  private change (network: string, change: number): void {
    const count = (this.counts.get(network) ?? 0) + change

    if (count === 0) {
      this.counts.delete(network)
    } else {
      this.counts.set(network, count)
    }
  }

  private limitsOf (host: string): Array<[network: string, max: number]> {
    const { maxPerAddress } = this

    return isIPv6(host)
      ? IPV6_NETWORKS.map(({ prefix, factor }) => [subnetOf(host, { ipv4: 32, ipv6: prefix }), factor * maxPerAddress])
      : [[host, maxPerAddress]]
  }
}
