import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { formatEndpoint, isUnspecified } from 'libp2p-tcp-stun/net'
import { DEFAULT_DRAIN_DEADLINE, DEFAULT_LIMITS } from 'libp2p-tcp-stun/server'
import { createSTUNServer, serveMetrics } from '../server/index.ts'
import { createLog, LOG_LEVELS } from './log.ts'
import { endpoint, loopbackEndpoint, network, wholeNumber } from './options.ts'
import { logServer } from './server-log.ts'
import type { Log, LogLevel } from './log.ts'
import type { MetricsServer, ProductionServer } from '../server/index.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { Limits } from 'libp2p-tcp-stun/server'

interface ServerOptions extends Limits {
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

export function serverCommand (): Command {
  const command = new Command('server')
    .description('Answer STUN Binding requests over TCP and TLS, and keep each connection until the client closes it')
    // the longest flag leaves half of a terminal of 80 columns
    .configureHelp({ minWidthToWrap: 30 })

  command.optionsGroup('Addresses:')
    .option('-l, --listen <address>', 'where to listen for TCP, repeatable (default: 0.0.0.0:3478)', endpoint)
    .option('--other-port <port>', 'listen on this port of each --listen address too, and name it to clients as OTHER-ADDRESS', wholeNumber(1, 65_535))
    .option('--tls-cert <file>', 'certificate chain in PEM, for stuns: URIs')
    .option('--tls-key <file>', 'its key in PEM')
    .option('--tls-listen <address>', 'where to listen for TLS, repeatable (default: 0.0.0.0:5349)', endpoint)
    .option('--workers <number>', 'processes that share the ports, or 0 for a single process', wholeNumber(0, 1_024), 0)

  command.optionsGroup('Clients:')
    .option('--trusted-proxy <network>', 'network of load balancers like 10.0.0.0/8, repeatable: each connection from there must begin with a PROXY header', network)
    .option('--max-connections <number>', 'connections in total', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnections)
    .option('--max-connections-per-address <number>', 'connections from one IP address', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnectionsPerAddress)
    .option('--max-connections-per-subnet <number>', 'connections from one IPv6 /64; twice as many from a /56, four times from a /48', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnectionsPerSubnet)
    .option('--max-new-connections-per-second <number>', 'from one IPv4 address or IPv6 /64; twice from a /56, four times from a /48', wholeNumber(1, MAX), DEFAULT_LIMITS.maxNewConnectionsPerSecond)

  command.optionsGroup('Limits:')
    .option('--max-message-length <bytes>', 'length of a message', wholeNumber(20, 65_535), DEFAULT_LIMITS.maxMessageLength)
    .option('--message-timeout <ms>', 'how long a message, TLS handshake or PROXY header may take', wholeNumber(1, MAX), DEFAULT_LIMITS.messageTimeout)
    .option('--max-requests-per-second <number>', 'on one connection', wholeNumber(1, MAX), DEFAULT_LIMITS.maxRequestsPerSecond)
    .option('--max-unsent-length <bytes>', 'responses that a client has not read', wholeNumber(1, MAX), DEFAULT_LIMITS.maxUnsentLength)
    .option('--max-memory <bytes>', 'memory that clients may cost, beyond which new connections are refused', wholeNumber(1, Number.MAX_SAFE_INTEGER), DEFAULT_LIMITS.maxMemory)
    .option('--keep-alive-delay <ms>', 'TCP probes a connection after it was idle for this long', wholeNumber(1, MAX), DEFAULT_LIMITS.keepAliveDelay)

  command.optionsGroup('Operation:')
    .option('--alternate-server <address>', 'where clients are sent while this server drains, repeatable, one for IPv4 and one for IPv6', alternate)
    .option('--drain-deadline <ms>', 'how long clients may take to leave after SIGTERM', wholeNumber(0, MAX), DEFAULT_DRAIN_DEADLINE)
    .option('--metrics [address]', 'answer /metrics (Prometheus) and /health over HTTP (default address: 127.0.0.1:9478)', loopbackEndpoint)
    .option('--software <name>', 'the SOFTWARE attribute of its responses', software)
    .addOption(new Option('--log-level <level>', 'debug logs each refused or reset connection, and with --json each Binding').choices(LOG_LEVELS).default('info'))
    .option('--json', 'log one JSON object a line')

  return command
    .addHelpText('after', `
Signals: SIGTERM and SIGINT drain, a second one stops at once. SIGHUP reads the
certificate files again; open connections go on.

Examples:
  tcp-stun server
  tcp-stun server --listen 0.0.0.0:3478 --listen [::]:3478 --other-port 3479
  tcp-stun server --tls-cert fullchain.pem --tls-key privkey.pem
  tcp-stun server --workers 4 --metrics --json
  tcp-stun server --trusted-proxy 10.0.0.0/8`)
    .action(runServer)
}

async function runServer (options: ServerOptions, command: Command): Promise<void> {
  const { tlsCert, tlsKey, tlsListen, otherPort } = options

  if ((tlsCert == null) !== (tlsKey == null) || (tlsListen != null && tlsCert == null)) {
    command.error('error: TLS needs both --tls-cert and --tls-key')
  }

  const files = tlsCert == null || tlsKey == null ? undefined : { cert: tlsCert, key: tlsKey }
  const listen = options.listen ?? [{ host: '0.0.0.0', port: 3478 }]

  if (listen.some(({ port }) => port === otherPort)) {
    command.error(`error: --other-port ${otherPort} is also the port of --listen`)
  }

  const log = createLog(options.logLevel ?? 'info', options.json === true)
  const server = createSTUNServer({
    ...options,
    listen: otherPort == null ? listen : [...listen, ...listen.map(({ host }) => ({ host, port: otherPort }))],
    tls: files == null ? undefined : { ...readCertificate(files), listen: tlsListen },
    trustedProxies: options.trustedProxy,
    alternateServers: options.alternateServer
  })

  logServer(server, log, { connections: options.logLevel === 'debug', bindings: options.logLevel === 'debug' && options.json === true })
  await server.listen()

  for (const address of server.addresses) {
    log('info', 'listening', `listening on ${formatEndpoint(address)} for ${address.transport === 'tls' ? 'stuns: (TLS)' : 'stun: (TCP)'}`, address)
  }

  const metrics = await startMetrics(server, log, options).catch(async err => {
    await server.close()
    throw err
  })

  onHangUp(server, log, files)
  onStop(server, metrics, log, options)
}

function readCertificate (files: { cert: string, key: string }): { cert: Buffer, key: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key) }
}

async function startMetrics (server: ProductionServer, log: Log, { metrics }: ServerOptions): Promise<MetricsServer | undefined> {
  if (metrics == null) {
    return
  }

  const web = await serveMetrics(server, metrics === true ? {} : { listen: metrics })
  log('info', 'metrics', `metrics at http://${formatEndpoint(web.address)}/metrics, health at /health`, web.address)

  return web
}

function onHangUp (server: ProductionServer, log: Log, files?: { cert: string, key: string }): void {
  process.on('SIGHUP', () => {
    if (files == null) {
      log('info', 'tls-unchanged', 'SIGHUP: the server has no certificate to read')
      return
    }

    Promise.resolve().then(async () => server.updateTLS(readCertificate(files))).then(
      () => { log('info', 'tls-reloaded', `read ${files.cert} and ${files.key} again`, files) },
      err => { log('error', 'tls-failed', `the certificate stays as it was: ${err.message}`, { ...files, message: err.message }) }
    )
  })
}

function onStop (server: ProductionServer, metrics: MetricsServer | undefined, log: Log, { drainDeadline }: ServerOptions): void {
  let signals = 0

  const stop = (): void => {
    signals++

    if (signals === 1) {
      const { bindings, accepted, connections } = server.counters
      log('info', 'stopping', `stopping: answered ${bindings} Bindings on ${accepted} connections, ${connections} are still open`, server.counters)
    }

    // the first signal drains, the second one does not wait
    const stopped = signals === 1 ? server.drain({ deadline: drainDeadline }) : server.close()

    stopped.then(async () => metrics?.close()).catch(err => {
      log('error', 'failed', `tcp-stun: ${err.message}`, { message: err.message })
      process.exitCode = 1
    })
  }

  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
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
