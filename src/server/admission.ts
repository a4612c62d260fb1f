import { isIPv6 } from 'node:net'
import { subnetOf } from '../address/ip.ts'
import { RateLimit } from './rate-limit.ts'
import type { Limits } from './limits.ts'

/**
 * Why a connection was refused
 *
 * - `connections`: too many in all
 * - `address`: too many from its address
 * - `subnet`: too many from its IPv6 /64
 * - `rate`: too many new ones a second from its address or /64
 * - `memory`: the process has too much
 * - `gone`: it had ended before it was looked at
 */
export type RefusalReason = 'connections' | 'address' | 'subnet' | 'rate' | 'memory' | 'gone'

/**
 * Addresses that are not connected are forgotten this often, in ms
 */
const SWEEP_INTERVAL = 1_000

/**
 * One client can have all of these addresses
 */
const SOURCE_PREFIX = { ipv4: 32, ipv6: 64 }

interface Source {
  connections: number
  rate: RateLimit
}

/**
 * Who may connect, by address: pure, it is told the time
 */
export class Admission {
  private readonly limits: Limits

  /**
   * By IPv4 address or IPv6 /64
   */
  private readonly sources = new Map<string, Source>()

  /**
   * Connections by IPv6 address
   */
  private readonly hosts = new Map<string, number>()
  private swept = 0

  constructor (limits: Limits) {
    this.limits = limits
  }

  /**
   * How many addresses are remembered
   */
  get size (): number {
    return this.sources.size + this.hosts.size
  }

  /**
   * Count a connection, or say why not. One that counts must be released.
   */
  admit (host: string, now: number): 'address' | 'subnet' | 'rate' | undefined {
    this.sweep(now)
    const v6 = isIPv6(host)
    const key = subnetOf(host, SOURCE_PREFIX)
    let source = this.sources.get(key)

    if (source == null) {
      source = { connections: 0, rate: new RateLimit(this.limits.maxNewConnectionsPerSecond) }
      this.sources.set(key, source)
    }

    if (!source.rate.take(now)) {
      return 'rate'
    }

    if (v6 && source.connections >= this.limits.maxConnectionsPerSubnet) {
      return 'subnet'
    }

    const connections = v6 ? this.hosts.get(host) ?? 0 : source.connections

    if (connections >= this.limits.maxConnectionsPerAddress) {
      return 'address'
    }

    source.connections++

    if (v6) {
      this.hosts.set(host, connections + 1)
    }
  }

  release (host: string): void {
    const v6 = isIPv6(host)
    const source = this.sources.get(subnetOf(host, SOURCE_PREFIX))

    if (source != null) {
      source.connections--
    }

    if (v6) {
      const left = (this.hosts.get(host) ?? 1) - 1

      if (left === 0) {
        this.hosts.delete(host)
      } else {
        this.hosts.set(host, left)
      }
    }
  }

  private sweep (now: number): void {
    if (now - this.swept < SWEEP_INTERVAL) {
      return
    }

    this.swept = now

    for (const [key, { connections, rate }] of this.sources) {
      if (connections === 0 && rate.isIdle(now)) {
        this.sources.delete(key)
      }
    }
  }
}
