import { NetworkCounts } from '../limits/network-counts.ts'

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
  private readonly ttl: number
  private readonly counts: NetworkCounts

  /**
   * By peer, the one that expires first is the first
   */
  private readonly reservations = new Map<string, Reservation>()

  constructor ({ maxPerAddress, ttl }: ReservationLimitsInit) {
    this.ttl = ttl
    this.counts = new NetworkCounts(maxPerAddress)
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

    if (!this.counts.hasRoom(hosts, this.reservations.get(peer)?.networks)) {
      return false
    }

    this.release(peer)
    this.reservations.set(peer, { networks: this.counts.add(hosts), expires: now + this.ttl })

    return true
  }

  release (peer: string): void {
    this.counts.remove(this.reservations.get(peer)?.networks ?? [])
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
}
