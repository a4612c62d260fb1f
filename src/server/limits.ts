import { checkValues, duration, wholeNumber } from '../runtime/check-options.ts'
import { HEADER_LENGTH } from '../stun/constants.ts'
import type { Rule, Rules } from '../runtime/check-options.ts'

/**
 * What clients may use of a server. Beyond a limit a connection is refused or
 * reset, and counted.
 */
export interface Limits {
  /**
   * Connections in total. One more takes the place of the oldest one that has not
   * been answered yet, if there is one.
   *
   * @default 10_000
   */
  maxConnections: number

  /**
   * Connections from one IP address. Behind a carrier NAT many homes share one.
   *
   * @default 100
   */
  maxConnectionsPerAddress: number

  /**
   * Connections from one IPv6 /64. A /56 may have twice as many, a /48 four times
   * as many: single homes and hosts have networks of these sizes.
   *
   * @default 200
   */
  maxConnectionsPerSubnet: number

  /**
   * New connections a second from one IPv4 address or IPv6 /64, in bursts of one
   * second. A /56 may have twice as many, a /48 four times as many.
   *
   * @default 50
   */
  maxNewConnectionsPerSecond: number

  /**
   * Length of a message with its header, in bytes
   *
   * @default 1_024
   */
  maxMessageLength: number

  /**
   * How long a message, from its first byte, a TLS handshake or a PROXY header
   * may take, in ms
   *
   * @default 10_000
   */
  messageTimeout: number

  /**
   * Requests a second on one connection, in bursts of one second
   *
   * @default 50
   */
  maxRequestsPerSecond: number

  /**
   * Responses that a client has not read, in bytes. Beyond it the server reads no
   * more requests of this client, and after `messageTimeout` resets it.
   *
   * @default 16_384
   */
  maxUnsentLength: number

  /**
   * Memory that clients may cost, in bytes: what the process has more than when it
   * began to listen, at most 256 KiB for each client. Beyond it (read once a second)
   * new connections are refused.
   *
   * @default 1_073_741_824
   */
  maxMemory: number

  /**
   * TCP probes a connection after it was idle for this long, in ms
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

const POSITIVE: Rule = {
  must: 'a number above 0',
  isValid: value => typeof value === 'number' && value > 0
}

const LIMIT_RULES: Rules<Limits> = {
  maxConnections: POSITIVE,
  maxConnectionsPerAddress: POSITIVE,
  maxConnectionsPerSubnet: POSITIVE,
  maxNewConnectionsPerSecond: POSITIVE,
  // the shortest message is a header
  maxMessageLength: wholeNumber(HEADER_LENGTH),
  messageTimeout: duration(),
  maxRequestsPerSecond: POSITIVE,
  maxUnsentLength: POSITIVE,
  maxMemory: POSITIVE,
  keepAliveDelay: duration()
}

/**
 * @throws {InvalidParametersError} a limit is not what it must be
 */
export function validateLimits (init: Partial<Limits>): Limits {
  const limits = { ...DEFAULT_LIMITS }

  for (const name of Object.keys(limits) as Array<keyof Limits>) {
    limits[name] = init[name] ?? limits[name]
  }

  checkValues(limits, LIMIT_RULES)

  return limits
}
