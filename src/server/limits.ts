import { InvalidParametersError } from '@libp2p/interface'

/**
 * What one server gives at most. Over a limit a connection is reset.
 */
export interface Limits {
  /**
   * Connections in all
   *
   * @default 10_000
   */
  maxConnections: number

  /**
   * Connections from one IP address: many homes share one behind a carrier NAT
   *
   * @default 100
   */
  maxConnectionsPerAddress: number

  /**
   * Length of a message in bytes, its header included
   *
   * @default 1_024
   */
  maxMessageLength: number

  /**
   * How long a started message may take to arrive, in ms
   *
   * @default 10_000
   */
  messageTimeout: number

  /**
   * Requests a second on one connection, with as many at once
   *
   * @default 50
   */
  maxRequestsPerSecond: number

  /**
   * An idle connection is asked by TCP whether it still lives after this long, in ms
   *
   * @default 60_000
   */
  keepAliveDelay: number
}

export const DEFAULT_LIMITS: Limits = {
  maxConnections: 10_000,
  maxConnectionsPerAddress: 100,
  maxMessageLength: 1_024,
  messageTimeout: 10_000,
  maxRequestsPerSecond: 50,
  keepAliveDelay: 60_000
}

/**
 * @throws {InvalidParametersError} a limit is not a number above zero
 */
export function validateLimits (init: Partial<Limits>): Limits {
  const limits = { ...DEFAULT_LIMITS }

  for (const name of Object.keys(limits) as Array<keyof Limits>) {
    const value = init[name] ?? limits[name]

    if (typeof value !== 'number' || !(value > 0)) {
      throw new InvalidParametersError(`${name} must be a number above 0, not ${value}`)
    }

    limits[name] = value
  }

  return limits
}

/**
 * So many a second, with a second's worth at once: pure, it is told the time
 */
export class RateLimit {
  private readonly perSecond: number
  private tokens: number
  private time: number

  constructor (perSecond: number, now: number) {
    this.perSecond = perSecond
    this.tokens = perSecond
    this.time = now
  }

  /**
   * Whether one more is allowed now, which then counts
   */
  take (now: number): boolean {
    this.tokens = Math.min(this.perSecond, this.tokens + (now - this.time) / 1_000 * this.perSecond)
    this.time = now

    if (this.tokens < 1) {
      return false
    }

    this.tokens--

    return true
  }
}
