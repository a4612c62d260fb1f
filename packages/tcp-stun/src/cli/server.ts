import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { formatEndpoint, isUnspecified } from 'libp2p-tcp-stun/net'
import { DEFAULT_LIMITS } from 'libp2p-tcp-stun/server'
import { DEFAULT_DRAIN_DEADLINE } from 'libp2p-tcp-stun/server'
import { createSTUNServer, serveMetrics } from '../server/index.ts'
import { createLog, LOG_LEVELS } from './log.ts'
import { endpoint, loopbackEndpoint, network, wholeNumber } from './options.ts'
import type { Log, LogLevel } from './log.ts'
import type { MetricsServer } from '../server/index.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { STUNServer } from 'libp2p-tcp-stun/server'
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

/**
 * What was refused and reset is told this often at most, in ms: a line for each
 * would help an attacker to fill the disk
 */
const SUMMARY_INTERVAL = 60_000

export function serverCommand (): Command {
  const command = new Command('server')
    .description('Answer STUN Bindings over TCP and TLS, and keep each connection until the client closes it')
    // the longest flag leaves half of a terminal of 80 columns
    .configureHelp({ minWidthToWrap: 30 })

  command.optionsGroup('Where:')
    .option('-l, --listen <address>', 'where to listen for TCP, repeatable (default: 0.0.0.0:3478)', endpoint)
    .option('--other-port <port>', 'listen on this port of each --listen address too: clients are told of it by OTHER-ADDRESS', wholeNumber(1, 65_535))
    .option('--tls-cert <file>', 'certificate chain in PEM, for stuns:')
    .option('--tls-key <file>', 'its key in PEM')
    .option('--tls-listen <address>', 'where to listen for TLS, repeatable (default: 0.0.0.0:5349)', endpoint)
    .option('--workers <number>', 'processes that share the ports, 0: only this one', wholeNumber(0, 1_024), 0)

  command.optionsGroup('Who:')
    .option('--trusted-proxy <network>', 'load balancers like 10.0.0.0/8, repeatable: from there each connection must begin with a PROXY header', network)
    .option('--max-connections <number>', 'connections in all', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnections)
    .option('--max-connections-per-address <number>', 'connections from one IP address', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnectionsPerAddress)
    .option('--max-connections-per-subnet <number>', 'connections from one IPv6 /64', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnectionsPerSubnet)
    .option('--max-new-connections-per-second <number>', 'from one IPv4 address or IPv6 /64', wholeNumber(1, MAX), DEFAULT_LIMITS.maxNewConnectionsPerSecond)

  command.optionsGroup('How much:')
    .option('--max-message-length <bytes>', 'length of a message', wholeNumber(20, 65_535), DEFAULT_LIMITS.maxMessageLength)
    .option('--message-timeout <ms>', 'how long a started message, TLS handshake or PROXY header may take', wholeNumber(1, MAX), DEFAULT_LIMITS.messageTimeout)
    .option('--max-requests-per-second <number>', 'on one connection', wholeNumber(1, MAX), DEFAULT_LIMITS.maxRequestsPerSecond)
    .option('--max-unsent-length <bytes>', 'answers that a client has not read', wholeNumber(1, MAX), DEFAULT_LIMITS.maxUnsentLength)
    .option('--max-memory <bytes>', 'above it new connections are refused', wholeNumber(1, Number.MAX_SAFE_INTEGER), DEFAULT_LIMITS.maxMemory)
    .option('--keep-alive-delay <ms>', 'when TCP asks whether an idle client still lives', wholeNumber(1, MAX), DEFAULT_LIMITS.keepAliveDelay)

  command.optionsGroup('Running it:')
    .option('--alternate-server <address>', 'where clients are sent to while this server drains, repeatable, one a family', alternate)
    .option('--drain-deadline <ms>', 'how long clients may take to go after SIGTERM', wholeNumber(0, MAX), DEFAULT_DRAIN_DEADLINE)
    .option('--metrics [address]', 'answer /metrics (Prometheus) and /health over HTTP (default address: 127.0.0.1:9478)', loopbackEndpoint)
    .option('--software <name>', 'what the server calls itself', software)
    .addOption(new Option('--log-level <level>', 'debug tells of each connection, and with --json of each Binding').choices(LOG_LEVELS).default('info'))
    .option('--json', 'log as JSON, a line each')

  return command
    .addHelpText('after', `
Signals: SIGTERM and SIGINT drain, a second one stops at once. SIGHUP reads the
certificate files again; connections that are there go on.

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
    command.error(`error: --other-port ${otherPort} is that of --listen`)
  }

  const log = createLog(options.logLevel ?? 'info', options.json === true)
  const server = createSTUNServer({
    ...options,
    listen: otherPort == null ? listen : [...listen, ...listen.map(({ host }) => ({ host, port: otherPort }))],
    tls: files == null ? undefined : { ...readCertificate(files), listen: tlsListen },
    trustedProxies: options.trustedProxy,
    alternateServers: options.alternateServer
  })

  tellConnections(server, log, options)
  await server.listen()

  for (const address of server.addresses) {
    log('info', 'listening', `listening on ${formatEndpoint(address)} for ${address.transport === 'tls' ? 'stuns: (TLS)' : 'stun: (TCP)'}`, address)
  }

  const metrics = await startMetrics(server, log, options).catch(async err => {
    await server.close()
    throw err
  })

  tellSummaries(server, log)
  onHangUp(server, log, files)
  onStop(server, metrics, log, options)
}

function readCertificate (files: { cert: string, key: string }): { cert: Buffer, key: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key) }
}

async function startMetrics (server: STUNServer, log: Log, { metrics }: ServerOptions): Promise<MetricsServer | undefined> {
  if (metrics == null) {
    return
  }

  const web = await serveMetrics(server, metrics === true ? {} : { listen: metrics })
  log('info', 'metrics', `metrics at http://${formatEndpoint(web.address)}/metrics, health at /health`, web.address)

  return web
}

function tellConnections (server: STUNServer, log: Log, { logLevel, json }: ServerOptions): void {
  server.addEventListener('worker:start', ({ detail }) => { log('info', 'worker-start', `worker ${detail.pid} serves`, detail) })
  server.addEventListener('worker:exit', ({ detail }) => { log('error', 'worker-exit', `worker ${detail.pid} ended (${detail.cause}) and is replaced`, detail) })

  if (logLevel !== 'debug') {
    return
  }

  server.addEventListener('reset', ({ detail }) => { log('debug', 'reset', `reset ${formatEndpoint(detail.client)}: ${detail.message ?? detail.reason}`, detail) })
  server.addEventListener('refuse', ({ detail }) => { log('debug', 'refuse', `refused ${detail.host ?? 'a connection'}: ${detail.reason}`, detail) })

  if (json === true) {
    server.addEventListener('binding', ({ detail }) => { log('debug', 'binding', '', detail) })
  }
}

function tellSummaries (server: STUNServer, log: Log): void {
  let before = JSON.stringify([server.counters.refused, server.counters.resets])

  setInterval(() => {
    const { connections, refused, resets } = server.counters
    const now = JSON.stringify([refused, resets])

    if (now !== before) {
      before = now
      log('info', 'summary', `so far refused ${list(refused)}; reset ${list(resets)}`, { connections, refused, resets })
    }
  }, SUMMARY_INTERVAL).unref()
}

function list (counts: Record<string, number>): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0)

  return some.length === 0 ? 'none' : some.map(([reason, count]) => `${count} (${reason})`).join(', ')
}

function onHangUp (server: STUNServer, log: Log, files?: { cert: string, key: string }): void {
  process.on('SIGHUP', () => {
    if (files == null) {
      log('info', 'tls-unchanged', 'SIGHUP: there is no certificate to read')
      return
    }

    Promise.resolve().then(async () => server.updateTLS(readCertificate(files))).then(
      () => { log('info', 'tls-reloaded', `read ${files.cert} and ${files.key} again`, files) },
      err => { log('error', 'tls-failed', `the certificate stays as it was: ${err.message}`, { ...files, message: err.message }) }
    )
  })
}

function onStop (server: STUNServer, metrics: MetricsServer | undefined, log: Log, { drainDeadline }: ServerOptions): void {
  let signals = 0

  const stop = (): void => {
    signals++

    if (signals === 1) {
      const { bindings, accepted, connections } = server.counters
      log('info', 'stopping', `stopping: ${bindings} Bindings answered on ${accepted} connections, ${connections} of them are there`, server.counters)
    }

    // a second signal is in a hurry
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
 * Clients must be able to connect to it
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
 * RFC 8489, section 14.14: less than 128 characters
 */
function software (text: string): string {
  if (text.length > 127) {
    throw new InvalidArgumentError('It must have less than 128 characters.')
  }

  return text
}
