import { subnetOf } from 'libp2p-tcp-stun/net'

/**
 * A home has an IPv4 address, or an IPv6 /64 at least
 */
const HOME = { ipv4: 32, ipv6: 64 }

export interface KnownHostsInit {
  /**
   * How many homes are remembered
   */
  maxHomes: number

  /**
   * How many returns a home may have saved up
   */
  maxReturns: number
}

/**
 * The homes of peers that have used the helper, the latest ones. Each peer that stayed may
 * return once without waiting: a home that was seen once cannot come as often as it likes.
 */
export class KnownHosts {
  private readonly init: KnownHostsInit

  /**
   * How many returns each home has. The one that was added to first is the first.
   */
  private readonly returns = new Map<string, number>()

  constructor (init: KnownHostsInit) {
    this.init = init
  }

  /**
   * A peer of a host has stayed
   */
  add (host: string): void {
    const home = subnetOf(host, HOME)
    const returns = Math.min((this.returns.get(home) ?? 0) + 1, this.init.maxReturns)
    this.returns.delete(home)
    this.returns.set(home, returns)

    if (this.returns.size > this.init.maxHomes) {
      const [first] = this.returns.keys()
      this.returns.delete(first)
    }
  }

  /**
   * Use up one return of a host
   *
   * @returns whether it had one
   */
  take (host: string): boolean {
    const home = subnetOf(host, HOME)
    const returns = this.returns.get(home) ?? 0

    if (returns > 1) {
      this.returns.set(home, returns - 1)
    } else {
      this.returns.delete(home)
    }

    return returns > 0
  }
}
