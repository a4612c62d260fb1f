import { InvalidParametersError } from '@libp2p/interface'
import type { Clock } from '../runtime/clock.ts'
import type { DNS } from '../runtime/dns.ts'
import type { Network } from '../runtime/network.ts'
import type { Random } from '../runtime/random.ts'
import type { STUNClientInit } from '../stun/client-init.ts'
import type { ComponentLogger, Metrics } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Two, so that the mapping holds while one connection is replaced
 */
export const DEFAULT_STUN_CONNECTIONS = 2

/**
 * Shorter than the shortest idle timeouts of carrier NATs that Natter and
 * natmap know (30 s), with room for one lost request
 */
export const DEFAULT_KEEP_ALIVE_INTERVAL = 15_000

/**
 * What the operator of a public server should not notice
 */
export const DEFAULT_MIN_RECONNECT_INTERVAL = 10_000

/**
 * How to ask the STUN servers, and how often
 */
export interface MappingOptions {
  /**
   * How many servers hold the mapping at once
   *
   * @default 2
   */
  stunConnections?: number

  /**
   * Each held connection is kept alive this often, in ms: by a TCP keep-alive
   * probe, every sixth time by a Binding request (spread by a tenth). Below 1 s
   * always by a request.
   *
   * @default 15_000
   */
  keepAliveInterval?: number

  /**
   * Least time between two connections to one server, in ms
   *
   * @default 10_000
   */
  minReconnectInterval?: number

  /**
   * Accept a mapping to a private address: a laboratory, or a STUN server
   * inside the carrier's network
   *
   * @default false
   */
  allowPrivateMapping?: boolean
}

export interface PublicMappingInit extends MappingOptions {
  /**
   * The address that is listened on, with its real port: `/ip4/0.0.0.0/tcp/4001`
   */
  listener: Multiaddr

  /**
   * RFC 7064 URIs: `stun:` is asked over TCP, `stuns:` over TLS. A name without
   * a port is looked up as SRV `_stun._tcp` or `_stuns._tcp` first.
   */
  stunServers: string[]

  /**
   * Asked when no server holds the mapping any more: whether a connection that was
   * dialled from the port lives, and will not be silent for longer than
   * `keepAliveInterval`. It holds the mapping as well as a server does: the
   * address stays while no server can be asked.
   *
   * @default () => false
   */
  isHeld?(): boolean

  /**
   * For `stuns:` servers, say the `ca` of a private one
   */
  tls?: STUNClientInit['tls']

  clock?: Clock
  dns?: DNS
  network?: Network
  random?: Random
}

export interface PublicMappingComponents {
  logger?: ComponentLogger
  metrics?: Metrics
}

/**
 * @throws {InvalidParametersError} an option makes no sense
 */
export function validateMappingOptions (options: MappingOptions): Required<MappingOptions> {
  const {
    stunConnections = DEFAULT_STUN_CONNECTIONS,
    keepAliveInterval = DEFAULT_KEEP_ALIVE_INTERVAL,
    minReconnectInterval = DEFAULT_MIN_RECONNECT_INTERVAL,
    allowPrivateMapping = false
  } = options

  if (!Number.isInteger(stunConnections) || stunConnections < 1) {
    throw new InvalidParametersError(`stunConnections must be a whole number from 1 on, not ${stunConnections}`)
  }

  // a timer of Node fires at once when its delay does not fit 31 bits
  if (!(keepAliveInterval > 0 && keepAliveInterval < 0x7fffffff / 2)) {
    throw new InvalidParametersError(`keepAliveInterval must be a number of milliseconds above 0, not ${keepAliveInterval}`)
  }

  if (!(minReconnectInterval >= 0 && minReconnectInterval < 0x7fffffff)) {
    throw new InvalidParametersError(`minReconnectInterval must be a number of milliseconds from 0 on, not ${minReconnectInterval}`)
  }

  return { stunConnections, keepAliveInterval, minReconnectInterval, allowPrivateMapping }
}
