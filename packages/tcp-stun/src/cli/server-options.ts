import { InvalidArgumentError, Option } from 'commander'
import { isUnspecified } from 'libp2p-tcp-stun/net'
import { DEFAULT_DRAIN_DEADLINE, DEFAULT_LIMITS } from 'libp2p-tcp-stun/server'
import { LOG_LEVELS } from './log.ts'
import { network } from './network-option.ts'
import { endpoint, loopbackEndpoint, wholeNumber } from './options.ts'
import type { LogLevel } from './log.ts'
import type { Command } from 'commander'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { Limits } from 'libp2p-tcp-stun/server'

export interface ServerOptions extends Limits {
  listen?: Endpoint[]
  otherPort?: number
  tlsListen?: Endpoint[]
  tlsCert?: string
  tlsKey?: string
  workers: number
  trustedProxy?: string[]
  alternateServer?: Endpoint[]
  drainDeadline: number
  metrics?: Endpoint | true
  software?: string
  logLevel?: LogLevel
  json?: boolean
}

const MAX = 0x7fffffff

export function addServerOptions (command: Command): void {
  command
    .optionsGroup('Addresses:')
    .option('-l, --listen <address>', 'where to listen for TCP, repeatable (default: 0.0.0.0:3478)', endpoint)
    .option(
      '--other-port <port>',
      'listen on this port of each --listen address too, and name it to clients as OTHER-ADDRESS',
      wholeNumber(1, 65_535)
    )
    .option('--tls-cert <file>', 'certificate chain in PEM, for stuns: URIs')
    .option('--tls-key <file>', 'private key of --tls-cert, in PEM')
    .option('--tls-listen <address>', 'where to listen for TLS, repeatable (default: 0.0.0.0:5349)', endpoint)
    .option('--workers <number>', 'processes that share the ports, or 0 for a single process', wholeNumber(0, 1_024), 0)

  command
    .optionsGroup('Clients:')
    .option(
      '--trusted-proxy <network>',
      'network of load balancers like 10.0.0.0/8, repeatable: each connection from there must begin with a PROXY ' +
        'header',
      network
    )
    .option('--max-connections <number>', 'connections in total', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnections)
    .option(
      '--max-connections-per-address <number>',
      'connections from one IP address',
      wholeNumber(1, MAX),
      DEFAULT_LIMITS.maxConnectionsPerAddress
    )
    .option(
      '--max-connections-per-subnet <number>',
      'connections from one IPv6 /64; twice as many from a /56, four times from a /48',
      wholeNumber(1, MAX),
      DEFAULT_LIMITS.maxConnectionsPerSubnet
    )
    .option(
      '--max-new-connections-per-second <number>',
      'new connections a second from one IPv4 address or IPv6 /64; twice as many from a /56, four times from a /48',
      wholeNumber(1, MAX),
      DEFAULT_LIMITS.maxNewConnectionsPerSecond
    )

  command
    .optionsGroup('Limits:')
    .option(
      '--max-message-length <bytes>',
      'longest message, with its header',
      wholeNumber(20, 65_535),
      DEFAULT_LIMITS.maxMessageLength
    )
    .option(
      '--message-timeout <ms>',
      'how long a message, TLS handshake or PROXY header may take',
      wholeNumber(1, MAX),
      DEFAULT_LIMITS.messageTimeout
    )
    .option(
      '--max-requests-per-second <number>',
      'requests a second on one connection',
      wholeNumber(1, MAX),
      DEFAULT_LIMITS.maxRequestsPerSecond
    )
    .option(
      '--max-unsent-length <bytes>',
      'bytes of responses that a client may leave unread',
      wholeNumber(1, MAX),
      DEFAULT_LIMITS.maxUnsentLength
    )
    .option(
      '--max-memory <bytes>',
      'memory that clients may cost, beyond which new connections are refused',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
      DEFAULT_LIMITS.maxMemory
    )
    .option(
      '--keep-alive-delay <ms>',
      'how long a connection is idle before TCP probes it',
      wholeNumber(1, MAX),
      DEFAULT_LIMITS.keepAliveDelay
    )

  command
    .optionsGroup('Operation:')
    .option(
      '--alternate-server <address>',
      'where clients are sent while this server drains, repeatable, one for IPv4 and one for IPv6',
      alternate
    )
    .option(
      '--drain-deadline <ms>',
      'how long clients may take to leave after SIGTERM',
      wholeNumber(0, MAX),
      DEFAULT_DRAIN_DEADLINE
    )
    .option(
      '--metrics [address]',
      'answer /metrics (Prometheus) and /health over HTTP (default address: 127.0.0.1:9478)',
      loopbackEndpoint
    )
    .option('--software <name>', 'the SOFTWARE attribute of its responses', software)
    .addOption(
      new Option('--log-level <level>', 'debug logs each refused or reset connection, and with --json each Binding')
        .choices(LOG_LEVELS)
        .default('info')
    )
    .option('--json', 'log one JSON object a line')
}

/**
 * The address and port of another server, which clients can connect to
 */
function alternate (text: string, previous: Endpoint[] = []): Endpoint[] {
  const all = endpoint(text, previous)
  const { host, port } = all[all.length - 1]

  if (port === 0 || isUnspecified(host)) {
    throw new InvalidArgumentError('It must be an address and a port that clients can connect to.')
  }

  return all
}

/**
 * The SOFTWARE attribute has less than 128 characters (RFC 8489, section 14.14)
 */
function software (text: string): string {
  if (text.length > 127) {
    throw new InvalidArgumentError('It must have less than 128 characters.')
  }

  return text
}
