import { Option } from 'commander'
import { LOG_LEVELS } from './log.ts'
import { multiaddrs } from './multiaddr-options.ts'
import { network } from './network-option.ts'
import { endpoint, hostName, ipAddress, loopbackEndpoint, wholeNumber } from './options.ts'
import type { LogLevel } from './log.ts'
import type { HelperLimitsInit } from '../helper/limits.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Command } from 'commander'
import type { Endpoint } from 'libp2p-tcp-stun/net'

export interface HelperOptions extends HelperLimitsInit {
  listen?: Endpoint[]
  stunListen?: Endpoint[]
  announce?: Multiaddr[]
  externalIp?: string[]
  dialBackFrom?: string[]
  trustedProxy?: string[]
  data?: string
  key?: string
  store?: string
  allow?: string
  networkKey?: string
  private?: string
  metrics?: Endpoint | true
  hostName?: string[]
  tlsCert?: string
  tlsKey?: string
  autoTls?: boolean
  drainDeadline: number
  logLevel?: LogLevel
  json?: boolean
}

const MAX = 0x7fffffff

/**
 * More would be beyond one process, see docs/scaling.md
 */
const MAX_PEERS = 1_000_000

/**
 * Relayed connections that are not punched yet take about this long, in ms
 */
const DRAIN_DEADLINE = 10_000

export function addHelperOptions (command: Command): void {
  command
    .optionsGroup('Addresses:')
    .option(
      '-l, --listen <address>',
      'where the libp2p node listens, repeatable (default: port 4001 of all addresses)',
      endpoint
    )
    .option(
      '--stun-listen <address>',
      'where the STUN server listens, repeatable: a second port lets peers notice a symmetric NAT (default: ports ' +
        '3478 and 3479 of all addresses)',
      endpoint
    )
    .option('--tls-cert <file>', 'certificate for WebSockets with TLS (wss), in PEM; read again when it changes')
    .option('--tls-key <file>', 'private key of --tls-cert, in PEM')
    .option(
      '--auto-tls',
      'get a certificate from Let\'s Encrypt for a name under libp2p.direct, whose service learns the helper\'s address'
    )
    .option('--announce <multiaddr>', 'another address to announce, repeatable', multiaddrs)
    .option('--external-ip <address>', 'public address of a 1:1 NAT before this machine, repeatable', ipAddress)
    .option(
      '--dial-back-from <address>',
      'second public address of this machine, which no peer contacts: AutoNAT dials from it, like a stranger',
      ipAddress
    )
    .option(
      '--trusted-proxy <network>',
      'network of load balancers like 10.0.0.0/8, repeatable: the limits of one address do not apply, and ' +
        'connections to the STUN server must begin with a PROXY header',
      network
    )

  command
    .optionsGroup('Limits:')
    .option(
      '--max-peers <number>',
      'peers that the helper is for; sets every limit (default: 1000)',
      wholeNumber(1, MAX_PEERS)
    )
    .option(
      '--max-peers-per-address <number>',
      'peers of one IPv4 address or IPv6 /64; a /56 may have twice as many, a /48 four times (default: 8)',
      wholeNumber(1, MAX)
    )
    .option(
      '--relay-bytes <bytes>',
      'what a relayed connection may carry (default: 131072, for members only 67108864)',
      wholeNumber(1, MAX)
    )
    .option(
      '--relay-duration <ms>',
      'how long a relayed connection may last (default: 120000, for members only 3600000)',
      wholeNumber(1_000, MAX)
    )

  command
    .optionsGroup('Access:')
    .option('--allow <file>', 'serve only these peer ids, one on each line; SIGHUP reads it again')
    .option('--network-key <file>', 'key of a private network (pnet), created if it is missing')
    .option(
      '--private <file>',
      'answer STUN only to clients that know the name:password in it; created if it is missing'
    )

  command
    .optionsGroup('Operation:')
    .option('--data <folder>', 'where the key and the board are kept (default: a new key each time, board in memory)')
    .option('--key <file>', 'private key of the node, created if it is missing (default: key in --data)')
    .option('--store <location>', 'where the board is kept: a folder, or redis://host:port (default: board in --data)')
    .option(
      '--metrics [address]',
      'serve the status page, /metrics (Prometheus) and /health over HTTP (default address: 127.0.0.1:9478)',
      loopbackEndpoint
    )
    .option(
      '--host-name <name>',
      'further host name of the status page and /metrics, repeatable; addresses, localhost, the name of the machine ' +
        'and announced names are accepted anyway',
      hostName
    )
    .option(
      '--drain-deadline <ms>',
      'how long relayed connections may take to end after SIGTERM',
      wholeNumber(0, MAX),
      DRAIN_DEADLINE
    )
    .addOption(new Option('--log-level <level>', 'what is logged').choices(LOG_LEVELS).default('info'))
    .option('--json', 'log one JSON object a line')
}
