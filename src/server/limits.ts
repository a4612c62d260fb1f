import { InvalidParametersError } from '@libp2p/interface'

/**
 * What one server gives at most. Over a limit a connection is refused or reset,
 * and counted.
 */
export interface Limits {
  /**
   * Connections in all. One more takes the place of the oldest that never asked
   * anything, if there is one.
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
   * Connections from one IPv6 /64: what a single home or host has for itself
   *
   * @default 200
   */
  maxConnectionsPerSubnet: number

  /**
   * New connections a second from one IPv4 address or IPv6 /64, with as many at
   * once
   *
   * @default 50
   */
  maxNewConnectionsPerSecond: number

  /**
   * Length of a message in bytes, its header included
   *
   * @default 1_024
   */
  maxMessageLength: number

  /**
   * How long a started message, a TLS handshake or a PROXY header may take from
   * its first byte to its last, in ms
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
   * Answers that a client has not read yet, in bytes. Over it the client is not
   * read from, and after `messageTimeout` it is reset.
   *
   * @default 16_384
   */
  maxUnsentLength: number

  /**
   * Memory of the process, in bytes: while it has more (looked at once a second)
   * new connections are refused
   *
   * @default 1_073_741_824
   */
  maxMemory: number

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
  maxConnectionsPerSubnet: 200,
  maxNewConnectionsPerSecond: 50,
  maxMessageLength: 1_024,
  messageTimeout: 10_000,
  maxRequestsPerSecond: 50,
  maxUnsentLength: 16_384,
  maxMemory: 1_073_741_824,
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
 * What each of several processes may have, so that together they keep the
 * limits: connections come to them by chance, so one may be full a little before
 * the others are
 */
export function shareLimits (limits: Limits, processes: number): Limits {
  const share = (value: number): number => Math.ceil(value / processes)

  return {
    ...limits,
    maxConnections: share(limits.maxConnections),
    maxConnectionsPerAddress: share(limits.maxConnectionsPerAddress),
    maxConnectionsPerSubnet: share(limits.maxConnectionsPerSubnet),
    maxNewConnectionsPerSecond: share(limits.maxNewConnectionsPerSecond),
    maxMemory: share(limits.maxMemory)
  }
}
