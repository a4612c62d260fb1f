import { InvalidParametersError } from '@libp2p/interface'
import { DEFAULT_KEEP_ALIVE_INTERVAL } from '../constants.ts'
import {
  BOOLEAN, FUNCTION, MAX_DELAY, OBJECT, checkOptions, checkValues, duration, milliseconds, show, wholeNumber
} from '../runtime/check-options.ts'
import { parseSTUNURI } from '../stun/uri.ts'
import type { MappingListener } from './listening-endpoint.ts'
import type { Rules } from '../runtime/check-options.ts'
import type { Clock } from '../runtime/clock.ts'
import type { DNS } from '../runtime/dns.ts'
import type { Network } from '../runtime/network.ts'
import type { Random } from '../runtime/random.ts'
import type { STUNClientInit, STUNCredential } from '../stun/client-init.ts'
import type { STUNURI } from '../stun/uri.ts'
import type { ComponentLogger, Metrics } from '@libp2p/interface'

/**
 * Two connections, so that one holds the mapping while the other is replaced
 */
export const DEFAULT_STUN_CONNECTIONS = 2

/**
 * Rare enough not to burden the operator of a public server
 */
export const DEFAULT_MIN_RECONNECT_INTERVAL = 10_000

/**
 * How STUN servers are asked, and how often
 */
export interface MappingOptions {
  /**
   * How many connections to STUN servers hold the mapping at the same time, each to
   * another server if there are enough
   *
   * @default 2
   */
  stunConnections?: number

  /**
   * How often the connection that has been held longest is kept alive, in ms: by a TCP
   * keep-alive probe, every sixth time by a Binding request (with a tenth of jitter), below
   * 1 s always by a request. The other connections are kept alive a third as often. If the
   * NAT forgets the mapping sooner than this, the interval is shortened, to 5 s at least:
   * see `keepAliveInterval` of the status.
   *
   * @default 15_000
   */
  keepAliveInterval?: number

  /**
   * The least time between two connections to one server, in ms
   *
   * @default 10_000
   */
  minReconnectInterval?: number

  /**
   * Accept mapped addresses that are private, in a laboratory or with STUN servers
   * inside the carrier's network
   *
   * @default false
   */
  allowPrivateMapping?: boolean
}

export interface PublicMappingInit extends MappingOptions {
  /**
   * Where the program listens: its server, once it listens, or the address with the
   * actual port as `0.0.0.0:4001`, `{ host, port }` or `/ip4/0.0.0.0/tcp/4001`. It must
   * share the port: `server.listen({ port: 4001, reusePort: true })`. Of a server on `::`
   * that accepts IPv4 too, the IPv4 port is mapped; `[::]:4001` is the IPv6 one.
   */
  listener: MappingListener

  /**
   * RFC 7064 URIs: `stun:` servers are asked over TCP, `stuns:` servers over TLS. A
   * name without a port is looked up as SRV `_stun._tcp` or `_stuns._tcp` first. The
   * order does not matter: the first servers to ask are drawn at random.
   *
   * @default a list of public servers, `DEFAULT_STUN_SERVERS`
   */
  stunServers?: string[]

  /**
   * Called when no connection to a server is left. Return whether another connection that
   * was dialled from the port is open and is never silent for longer than
   * `keepAliveInterval`. Such a connection holds the mapping as a server's does, so the
   * address stays while no server can be reached.
   *
   * @default () => false
   */
  isHeld?(): boolean

  /**
   * TLS options for `stuns:` servers, for example the `ca` of a private one
   */
  tls?: STUNClientInit['tls']

  /**
   * For servers that require a name and a password (RFC 8489, section 9.1)
   *
   * @default none
   */
  stunCredential?: STUNCredential

  clock?: Clock
  dns?: DNS
  network?: Network
  random?: Random
}

/**
 * Parts of libp2p that a mapping uses if there are any
 */
export interface PublicMappingComponents {
  logger?: ComponentLogger
  metrics?: Metrics
}

/**
 * The servers, each once
 *
 * @throws {InvalidParametersError} it is no list of STUN URIs; the message names what is wrong
 */
export function parseServers (servers: unknown): STUNURI[] {
  if (!Array.isArray(servers)) {
    throw new InvalidParametersError(`stunServers must be a list like ['stun:stun.example.org'], not ${show(servers)}`)
  }

  return [...new Set(servers)].map(server => {
    try {
      return parseSTUNURI(server)
    } catch (err: any) {
      throw new InvalidParametersError(`stunServers: ${err.message}`)
    }
  })
}

/**
 * RFC 8489, section 14.3
 */
const MAX_USERNAME_LENGTH = 508

/**
 * @throws {InvalidParametersError} it is no username and password
 */
export function checkCredential (credential: unknown): void {
  if (credential == null) {
    return
  }

  const { username, password } = credential as Record<string, unknown>

  if (typeof username !== 'string' || username === '' || typeof password !== 'string' || password === '') {
    throw new InvalidParametersError('stunCredential must have a username and a password')
  }

  if (new TextEncoder().encode(username).byteLength > MAX_USERNAME_LENGTH) {
    throw new InvalidParametersError(`stunCredential: the username may have at most ${MAX_USERNAME_LENGTH} bytes`)
  }
}

/**
 * What the options must be. A keep-alive interval is doubled where a timer waits for two.
 */
export const MAPPING_RULES: Rules<MappingOptions> = {
  stunConnections: wholeNumber(1),
  keepAliveInterval: duration(Math.floor(MAX_DELAY / 2)),
  minReconnectInterval: milliseconds(),
  allowPrivateMapping: BOOLEAN
}

/**
 * All options of a mapping. The type makes sure that none is missing here.
 */
const INIT_RULES: Rules<PublicMappingInit> = {
  ...MAPPING_RULES,
  listener: undefined,
  stunServers: undefined,
  stunCredential: undefined,
  tls: OBJECT,
  isHeld: FUNCTION,
  clock: OBJECT,
  dns: OBJECT,
  network: OBJECT,
  random: FUNCTION
}

/**
 * @throws {InvalidParametersError} an option is unknown or makes no sense; the message names it
 */
export function validatePublicMapping (init: PublicMappingInit): Required<MappingOptions> {
  checkOptions('PublicMapping', init, INIT_RULES)
  checkCredential(init.stunCredential)

  return validateMappingOptions(init)
}

/**
 * @throws {InvalidParametersError} an option is invalid
 */
export function validateMappingOptions (options: MappingOptions): Required<MappingOptions> {
  checkValues(options, MAPPING_RULES)

  return {
    stunConnections: options.stunConnections ?? DEFAULT_STUN_CONNECTIONS,
    keepAliveInterval: options.keepAliveInterval ?? DEFAULT_KEEP_ALIVE_INTERVAL,
    minReconnectInterval: options.minReconnectInterval ?? DEFAULT_MIN_RECONNECT_INTERVAL,
    allowPrivateMapping: options.allowPrivateMapping ?? false
  }
}
