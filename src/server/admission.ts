import { subnetOf } from '../address/ip.ts'
import { RateLimit } from './rate-limit.ts'
import type { Limits } from './limits.ts'

/**
 * Why a connection was refused
 *
 * - `connections`: the server is full
 * - `address`: too many connections from its address
 * - `subnet`: too many connections from its IPv6 network
 * - `rate`: too many new connections a second from its IPv4 address or IPv6 network
 * - `memory`: clients take up too much memory
 * - `gone`: it had ended before the server looked at it
 */
export type RefusalReason = 'connections' | 'address' | 'subnet' | 'rate' | 'memory' | 'gone'

/**
 * How often sources without connections are forgotten, in ms
 */
const SWEEP_INTERVAL = 1_000

/**
 * The networks that an address belongs to. A home or a host has an IPv6 /64 at
 * least and often a /56 or a /48, so each of them is limited: by this many times
 * what a /64 may have. The largest is first, so that a refused connection leaves
 * nothing behind for the smaller ones.
 */
const LEVELS: Array<{ ipv6: number, times: number }> = [
  { ipv6: 48, times: 4 },
  { ipv6: 56, times: 2 },
  { ipv6: 64, times: 1 },
  { ipv6: 128, times: 1 }
]

interface Source {
  connections: number
  rate?: RateLimit
}

interface Level {
  key: string
  reason: 'address' | 'subnet'
  maxConnections: number

  /**
   * New connections a second
   */
  maxRate?: number
}

export type AdmissionLimits =
  Pick<Limits, 'maxConnectionsPerAddress' | 'maxConnectionsPerSubnet' | 'maxNewConnectionsPerSecond'>

/**
 * Decides which addresses may connect, by the connections they have and how
 * fast they open them. It has no clock: it is told the time.
 */
export class Admission {
  private readonly limits: AdmissionLimits

  /**
   * By address and by network
   */
  private readonly sources = new Map<string, Source>()
  private swept = 0

  constructor (limits: AdmissionLimits) {
    this.limits = limits
  }

  /**
   * How many addresses and networks are remembered
   */
  get size (): number {
    return this.sources.size
  }

  /**
   * Count a connection, or say why it is refused. One that counts must be
   * released.
   */
  admit (host: string, now: number): 'address' | 'subnet' | 'rate' | undefined {
    this.sweep(now)
    const levels = this.levelsOf(host)

    for (const { key, reason, maxConnections } of levels) {
      const source = this.sources.get(key)

      if (source?.rate?.allows(now) === false) {
        return 'rate'
      }

      if (source != null && source.connections >= maxConnections) {
        return reason
      }
    }

    for (const { key, maxRate } of levels) {
      let source = this.sources.get(key)

      if (source == null) {
        source = { connections: 0, rate: maxRate == null ? undefined : new RateLimit(maxRate) }
        this.sources.set(key, source)
      }

      source.connections++
      source.rate?.take(now)
    }
  }

  release (host: string): void {
    for (const { key } of this.levelsOf(host)) {
      const source = this.sources.get(key)

      if (source != null) {
        source.connections--
      }
    }
  }

  private levelsOf (host: string): Level[] {
    const { maxConnectionsPerAddress, maxConnectionsPerSubnet, maxNewConnectionsPerSecond } = this.limits

    if (!host.includes(':')) {
      return [
        { key: host, reason: 'address', maxConnections: maxConnectionsPerAddress, maxRate: maxNewConnectionsPerSecond }
      ]
    }

    return LEVELS.map(({ ipv6, times }) => ({
      key: subnetOf(host, { ipv4: 32, ipv6 }),
      ...(ipv6 === 128
        ? { reason: 'address', maxConnections: maxConnectionsPerAddress }
        : {
            reason: 'subnet',
            maxConnections: times * maxConnectionsPerSubnet,
            maxRate: times * maxNewConnectionsPerSecond
          })
    }))
  }

  private sweep (now: number): void {
    if (now - this.swept < SWEEP_INTERVAL) {
      return
    }

    this.swept = now

    for (const [key, { connections, rate }] of this.sources) {
      if (connections === 0 && rate?.isIdle(now) !== false) {
        this.sources.delete(key)
      }
    }
  }
}
