import { Command } from 'commander'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { ignoreClosedOutput } from './closed-output.ts'
import { endpoint, multiaddrs, wholeNumber } from './options.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Endpoint } from 'libp2p-tcp-stun/net'

interface HelperOptions {
  listen?: Endpoint[]
  stunListen?: Endpoint[]
  announce?: Multiaddr[]
  key?: string
  maxReservations?: number
  maxReservationsPerAddress?: number
  json?: boolean
}

export function helperCommand (): Command {
  return new Command('helper')
    .description(
      'Run what a private network of peers needs on one public machine: STUN server, AutoNAT v2 server and ' +
        'circuit relay'
    )
    .option('-l, --listen <address>', 'where the libp2p node listens, repeatable (default: 0.0.0.0:4001)', endpoint)
    .option('--stun-listen <address>', 'where the STUN server listens, repeatable (default: 0.0.0.0:3478)', endpoint)
    .option('--announce <multiaddr>', 'another address to announce, repeatable', multiaddrs)
    .option('--key <file>', 'private key of the node, created if it is missing (default: a new key each time)')
    .option(
      '--max-reservations <number>',
      'peers that can be reached through the relay at once (default: 128)',
      wholeNumber(1, 0x7fffffff)
    )
    .option(
      '--max-reservations-per-address <number>',
      'those of one IPv4 address or IPv6 /64; a /56 may have twice as many, a /48 four times (default: 8)',
      wholeNumber(1, 0x7fffffff)
    )
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'after',
      `
The machine needs a public address.

A check whose only STUN server is on this machine cannot tell whether strangers
are admitted, because it has contacted this machine: name another STUN server too.

Examples:
  tcp-stun helper --key helper.key
  tcp-stun helper --listen 0.0.0.0:4001 --listen [::]:4001

On a machine behind a NAT:
  tcp-stun check --helper helper.example.org:4001`
    )
    .action(runHelper)
}

async function runHelper ({ announce = [], key, json, ...options }: HelperOptions): Promise<void> {
  // libp2p takes a second to load, which the other commands do without
  const [{ startHelper }, { keyFromFile }] = await Promise.all([
    import('../helper/helper.ts'),
    import('../helper/key-file.ts')
  ])
  const print = (text: string, event: string, detail: object = {}): void => {
    process.stdout.write(json === true ? `${JSON.stringify({ event, ...detail })}\n` : `${text}\n`)
  }

  ignoreClosedOutput()

  const helper = await startHelper({
    ...options,
    announce: announce.map(String),
    privateKey: key == null ? undefined : await keyFromFile(key)
  })

  for (const { host, port } of helper.stunServer.addresses) {
    print(`STUN server   stun:${formatEndpoint({ host, port })}`, 'stun', { host, port })
  }

  const addresses = helper.node.getMultiaddrs().map(String)
  print(`AutoNAT and relay\n${addresses.map(address => `  ${address}`).join('\n')}`, 'listening', {
    id: helper.node.peerId.toString(),
    addresses
  })

  const stop = (): void => {
    const { bindings } = helper.stunServer.counters
    print(`stopping after ${bindings} Binding responses`, 'stopping', { bindings })
    helper.close().catch(err => {
      process.stderr.write(`tcp-stun: ${err.message}\n`)
      process.exitCode = 1
    })
  }

  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}
