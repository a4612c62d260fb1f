import { subnetOf } from 'libp2p-tcp-stun/net'

/**
 * A home has an IPv4 address, or an IPv6 /64 at least
 */
const HOME = { ipv4: 32, ipv6: 64 }

/**
 * The homes of peers that have used the helper, the latest ones
 */
export class KnownHosts {
  private readonly max: number

  /**
   * The one that was seen first is the first
   */
  private readonly homes = new Set<string>()

  /**
   * @param max - how many are remembered
   */
  constructor (max: number) {
    this.max = max
  }

  has (host: string): boolean {
    return this.homes.has(subnetOf(host, HOME))
  }

  add (host: string): void {
    const home = subnetOf(host, HOME)
    this.homes.delete(home)
    this.homes.add(home)

    if (this.homes.size > this.max) {
      const [first] = this.homes
      this.homes.delete(first)
    }
  }
}
