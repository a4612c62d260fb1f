import { isIPv6 } from 'node:net'
import { subnetOf } from 'libp2p-tcp-stun/net'

/**
 * A subscriber mostly has a whole IPv6 network, and a hosting customer several.
 * Each of these networks may have `factor` times the reservations of an address.
 */
const IPV6_NETWORKS = [
  { prefix: 64, factor: 1 },
  { prefix: 56, factor: 2 },
  { prefix: 48, factor: 4 }
]

interface Reservation {
  networks: string[]

  /**
   * When the relay forgets it unless it is refreshed, in ms
   */
  expires: number
}

export interface ReservationLimitsInit {
  /**
   * How many peers of one IPv4 address or IPv6 /64 may have a reservation. A /56
   * may have twice as many, a /48 four times as many.
   */
  maxPerAddress: number

  /**
   * How long a reservation lasts, in ms
   */
  ttl: number
}

/**
 * Decides which peers get a relay reservation, so that the peers of one address
 * or network cannot take them all. Has no clock: it is told the time.
 */
export class ReservationLimits {
  private readonly init: ReservationLimitsInit

  /**
   * By peer, the one that expires first is the first
   */
  private readonly reservations = new Map<string, Reservation>()

  /**
   * How many reservations each network has
   */
  private readonly counts = new Map<string, number>()

  constructor (init: ReservationLimitsInit) {
    this.init = init
  }

  /**
   * How many peers have a reservation
   */
  get size (): number {
    return this.reservations.size
  }

  /**
   * Whether a peer at these IP addresses may have a reservation, or may refresh
   * the one it has. If so it is counted until it is released or expires.
   */
  admit (peer: string, hosts: string[], now: number): boolean {
    this.expire(now)
    const limits = new Map(hosts.flatMap(host => this.limitsOf(host)))
    const before = this.reservations.get(peer)?.networks ?? []

    for (const [network, max] of limits) {
      if (!before.includes(network) && (this.counts.get(network) ?? 0) >= max) {
        return false
      }
    }

    this.release(peer)
    const networks = [...limits.keys()]
    networks.forEach(network => { this.count(network, 1) })
    this.reservations.set(peer, { networks, expires: now + this.init.ttl })

    return true
  }

  release (peer: string): void {
    this.reservations.get(peer)?.networks.forEach(network => { this.count(network, -1) })
    this.reservations.delete(peer)
  }

  private expire (now: number): void {
    for (const [peer, { expires }] of this.reservations) {
      if (expires > now) {
        break
      }

      this.release(peer)
    }
  }

  private count (network: string, change: number): void {
    const count = (this.counts.get(network) ?? 0) + change

    if (count === 0) {
      this.counts.delete(network)
    } else {
      this.counts.set(network, count)
    }
  }

  /**
   * The networks of an address, and how many reservations each may have
   */
  private limitsOf (host: string): Array<[network: string, max: number]> {
    const { maxPerAddress } = this.init

    return isIPv6(host)
      ? IPV6_NETWORKS.map(({ prefix, factor }) => [subnetOf(host, { ipv4: 32, ipv6: prefix }), factor * maxPerAddress])
      : [[host, maxPerAddress]]
  }
}
