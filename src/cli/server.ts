import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { createSTUNServer } from '../server/index.ts'
import { DEFAULT_LIMITS } from '../server/limits.ts'
import { formatEndpoint } from '../stun/endpoint.ts'
import { endpoint, wholeNumber } from './options.ts'
import type { Limits } from '../server/limits.ts'
import type { Endpoint } from '../stun/endpoint.ts'

interface ServerOptions extends Limits {
  listen?: Endpoint[]
  tlsListen?: Endpoint[]
  tlsCert?: string
  tlsKey?: string
  json?: boolean
}

const MAX = 0x7fffffff

export function serverCommand (): Command {
  return new Command('server')
    .description('Answer STUN Bindings over TCP and TLS, and keep each connection until the client closes it')
    .option('-l, --listen <address>', 'where to listen for TCP, repeatable (default: 0.0.0.0:3478)', endpoint)
    .option('--tls-cert <file>', 'certificate chain in PEM, for stuns:')
    .option('--tls-key <file>', 'its key in PEM')
    .option('--tls-listen <address>', 'where to listen for TLS, repeatable (default: 0.0.0.0:5349)', endpoint)
    .option('--max-connections <number>', 'connections in all', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnections)
    .option('--max-connections-per-address <number>', 'connections from one IP address', wholeNumber(1, MAX), DEFAULT_LIMITS.maxConnectionsPerAddress)
    .option('--max-message-length <bytes>', 'length of a message', wholeNumber(20, 65_535), DEFAULT_LIMITS.maxMessageLength)
    .option('--message-timeout <ms>', 'how long a started message may take', wholeNumber(1, MAX), DEFAULT_LIMITS.messageTimeout)
    .option('--max-requests-per-second <number>', 'on one connection', wholeNumber(1, MAX), DEFAULT_LIMITS.maxRequestsPerSecond)
    .option('--keep-alive-delay <ms>', 'when TCP asks whether an idle client still lives', wholeNumber(1, MAX), DEFAULT_LIMITS.keepAliveDelay)
    .option('--json', 'print events as JSON, a line each')
    .addHelpText('after', `
Examples:
  tcp-stun server
  tcp-stun server --listen 0.0.0.0:3478 --listen [::]:3478
  tcp-stun server --tls-cert fullchain.pem --tls-key privkey.pem`)
    .action(runServer)
}

async function runServer (options: ServerOptions, command: Command): Promise<void> {
  const { tlsCert, tlsKey, tlsListen, json } = options

  if ((tlsCert == null) !== (tlsKey == null) || (tlsListen != null && tlsCert == null)) {
    command.error('error: TLS needs both --tls-cert and --tls-key')
  }

  const server = createSTUNServer({
    ...options,
    tls: tlsCert == null || tlsKey == null ? undefined : { cert: readFileSync(tlsCert), key: readFileSync(tlsKey), listen: tlsListen }
  })
  const say = (text: string, event: string, detail: object = {}): void => {
    process.stdout.write(json === true ? `${JSON.stringify({ event, ...detail })}\n` : `${text}\n`)
  }

  if (json === true) {
    server.addEventListener('binding', ({ detail }) => { say('', 'binding', detail) })
  }

  await server.listen()

  for (const address of server.addresses) {
    say(`listening on ${formatEndpoint(address)} for ${address.transport === 'tls' ? 'stuns: (TLS)' : 'stun: (TCP)'}`, 'listening', address)
  }

  const stop = (): void => {
    const { bindings, accepted } = server.counters
    say(`stopping: ${bindings} Bindings answered on ${accepted} connections`, 'stopping', server.counters)
    server.close().catch(err => {
      process.stderr.write(`tcp-stun: ${err.message}\n`)
      process.exitCode = 1
    })
  }

  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}
