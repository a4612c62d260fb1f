import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { createSTUNServer, serveMetrics } from '../server/index.ts'
import { fitHelp } from './help.ts'
import { createLog } from './log.ts'
import { logServer } from './server-log.ts'
import { addServerOptions } from './server-options.ts'
import { addSettings } from './settings.ts'
import type { Log } from './log.ts'
import type { ServerOptions } from './server-options.ts'
import type { MetricsServer, ProductionServer } from '../server/index.ts'

const NOTES = `
Signals: SIGTERM and SIGINT drain, a second one stops at once. SIGHUP reads the
certificate files again; open connections stay.

Examples:
  tcp-stun server
  tcp-stun server --listen 0.0.0.0:3478 --listen [::]:3478 --other-port 3479
  tcp-stun server --tls-cert fullchain.pem --tls-key privkey.pem
  tcp-stun server --workers 4 --metrics --json
  tcp-stun server --trusted-proxy 10.0.0.0/8`

export function serverCommand (): Command {
  const command = new Command('server')
    .description('Answer STUN Binding requests over TCP and TLS, and keep each connection until the client closes it')

  addServerOptions(command)
  addSettings(command)

  return fitHelp(command, NOTES).action(runServer)
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

  logServer(server, log, {
    connections: options.logLevel === 'debug',
    bindings: options.logLevel === 'debug' && options.json === true
  })
  await server.listen()
  const web: { metrics?: MetricsServer } = {}
  // who reads that it listens may send a signal
  onHangUp(server, log, files)
  onStop(server, async () => web.metrics?.close(), log, options)

  for (const address of server.addresses) {
    log(
      'info',
      'listening',
      `listening on ${formatEndpoint(address)} for ${address.transport === 'tls' ? 'stuns: (TLS)' : 'stun: (TCP)'}`,
      address
    )
  }

  web.metrics = await startMetrics(server, log, options).catch(async err => {
    await server.close()
    throw err
  })
}

function readCertificate (files: { cert: string, key: string }): { cert: Buffer, key: Buffer } {
  return { cert: readFileSync(files.cert), key: readFileSync(files.key) }
}

async function startMetrics (
  server: ProductionServer,
  log: Log,
  { metrics }: ServerOptions
): Promise<MetricsServer | undefined> {
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

    Promise.resolve()
      .then(async () => server.updateTLS(readCertificate(files)))
      .then(
        () => { log('info', 'tls-reloaded', `read ${files.cert} and ${files.key} again`, files) },
        err => {
          log('error', 'tls-failed', `the certificate stays as it was: ${err.message}`, {
            ...files,
            message: err.message
          })
        }
      )
  })
}

function onStop (
  server: ProductionServer,
  closeMetrics: () => Promise<void>,
  log: Log,
  { drainDeadline }: ServerOptions
): void {
  let signals = 0

  const stop = (): void => {
    signals++

    if (signals === 1) {
      const { bindings, accepted, connections } = server.counters
      log(
        'info',
        'stopping',
        `stopping: answered ${bindings} Bindings on ${accepted} connections, ${connections} are still open`,
        server.counters
      )
    }

    // the first signal drains, the second one does not wait
    const stopped = signals === 1 ? server.drain({ deadline: drainDeadline }) : server.close()

    stopped
      .then(closeMetrics)
      .catch(err => {
        log('error', 'failed', `tcp-stun: ${err.message}`, { message: err.message })
        process.exitCode = 1
      })
  }

  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}
