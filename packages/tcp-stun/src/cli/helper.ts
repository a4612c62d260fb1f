import { Command } from 'commander'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { startHelper } from '../helper/helper.ts'
import { keyFromFile } from '../helper/key-file.ts'
import { endpoint, multiaddrs, wholeNumber } from './options.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Endpoint } from 'libp2p-tcp-stun/net'

interface HelperOptions {
  listen?: Endpoint[]
  stunListen?: Endpoint[]
  announce?: Multiaddr[]
  key?: string
  maxReservations: number
  json?: boolean
}

export function helperCommand (): Command {
  return new Command('helper')
    .description('Be the one machine outside that a private network needs: STUN server, AutoNAT v2 server and circuit relay in one')
    .option('-l, --listen <address>', 'where the node of libp2p listens, repeatable (default: 0.0.0.0:4001)', endpoint)
    .option('--stun-listen <address>', 'where the STUN server listens, repeatable (default: 0.0.0.0:3478)', endpoint)
    .option('--announce <multiaddr>', 'another address of this machine to tell peers, repeatable', multiaddrs)
    .option('--key <file>', 'private key of the node, made when it is not there (default: a new one each time)')
    .option('--max-reservations <number>', 'peers that can be reached through the relay at once', wholeNumber(1, 0x7fffffff), 128)
    .option('--json', 'print events as JSON, a line each')
    .addHelpText('after', `
It needs a public address, and packages that every node of libp2p has:
  npm install libp2p @libp2p/noise @libp2p/yamux @libp2p/crypto \\
    @libp2p/identify @libp2p/autonat-v2 @libp2p/circuit-relay-v2

A check that knows only this machine can not tell who is a stranger, since it
talks to the STUN server here: let it ask a STUN server elsewhere too.

Examples:
  tcp-stun helper --key helper.key
  tcp-stun helper --listen 0.0.0.0:4001 --listen [::]:4001

On a machine behind a NAT:
  tcp-stun check --helper helper.example.org:4001`)
    .action(runHelper)
}

async function runHelper ({ listen, stunListen, announce = [], key, maxReservations, json }: HelperOptions): Promise<void> {
  const helper = await startHelper({
    listen: listen ?? [{ host: '0.0.0.0', port: 4001 }],
    stunListen: stunListen ?? [{ host: '0.0.0.0', port: 3478 }],
    announce: announce.map(String),
    privateKey: key == null ? undefined : await keyFromFile(key),
    maxReservations
  })
  const say = (text: string, event: string, detail: object = {}): void => {
    process.stdout.write(json === true ? `${JSON.stringify({ event, ...detail })}\n` : `${text}\n`)
  }

  for (const { host, port } of helper.stunServer.addresses) {
    say(`STUN server   stun:${formatEndpoint({ host, port })}`, 'stun', { host, port })
  }

  const addresses = helper.node.getMultiaddrs().map(String)
  say(`AutoNAT and relay\n${addresses.map(address => `  ${address}`).join('\n')}`, 'listening', { id: helper.node.peerId.toString(), addresses })

  const stop = (): void => {
    const { bindings } = helper.stunServer.counters
    say(`stopping: ${bindings} Bindings answered`, 'stopping', { bindings })
    helper.close().catch(err => {
      process.stderr.write(`tcp-stun: ${err.message}\n`)
      process.exitCode = 1
    })
  }

  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}
