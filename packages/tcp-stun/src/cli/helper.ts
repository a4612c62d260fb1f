import { Command } from 'commander'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { ignoreClosedOutput } from './closed-output.ts'
import { limitsText } from './helper-text.ts'
import { endpoint, ipAddress, multiaddrs, network, wholeNumber } from './options.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Endpoint } from 'libp2p-tcp-stun/net'

interface HelperOptions {
  listen?: Endpoint[]
  stunListen?: Endpoint[]
  announce?: Multiaddr[]
  key?: string
  externalIp?: string[]
  trustedProxy?: string[]
  maxPeers?: number
  maxPeersPerAddress?: number
  relayBytes?: number
  relayDuration?: number
  json?: boolean
}

const MAX = 0x7fffffff

/**
 * More would be beyond one process, see docs/scaling.md
 */
const MAX_PEERS = 1_000_000

export function helperCommand (): Command {
  return new Command('helper')
    .description(
      'Run what a private network of peers needs on one public machine: STUN server, AutoNAT v2 server and ' +
        'circuit relay'
    )
    // the longest flag leaves half of a terminal of 80 columns
    .configureHelp({ minWidthToWrap: 30 })
    .optionsGroup('Addresses:')
    .option('-l, --listen <address>', 'where the libp2p node listens, repeatable (default: 4001 of all)', endpoint)
    .option(
      '--stun-listen <address>',
      'where the STUN server listens, repeatable: a second port lets peers notice a symmetric NAT (default: 3478 and ' +
        '3479 of all)',
      endpoint
    )
    .option('--announce <multiaddr>', 'another address to announce, repeatable', multiaddrs)
    .option('--external-ip <address>', 'public address of a 1:1 NAT before this machine, repeatable', ipAddress)
    .option(
      '--trusted-proxy <network>',
      'network of load balancers like 10.0.0.0/8, repeatable: the limits of one address do not apply, and connections ' +
        'to the STUN server must begin with a PROXY header',
      network
    )
    .optionsGroup('Limits:')
    .option(
      '--max-peers <number>',
      'peers that the helper is for; sets every limit (default: 1000)',
      wholeNumber(1, MAX_PEERS)
    )
    .option(
      '--max-peers-per-address <number>',
      'those of one IPv4 address or IPv6 /64; a /56 may have twice as many, a /48 four times (default: 8)',
      wholeNumber(1, MAX)
    )
    .option('--relay-bytes <bytes>', 'what a relayed connection may carry (default: 131072)', wholeNumber(1, MAX))
    .option(
      '--relay-duration <ms>',
      'how long a relayed connection may last (default: 120000)',
      wholeNumber(1_000, MAX)
    )
    .optionsGroup('Operation:')
    .option('--key <file>', 'private key of the node, created if it is missing (default: a new key each time)')
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'after',
      `
The machine needs a public address.

A check whose only STUN server is on this machine cannot tell whether strangers
are admitted, because it has contacted this machine: name another STUN server too.

Examples:
  tcp-stun helper --key helper.key
  tcp-stun helper --key helper.key --max-peers 5000 --external-ip 203.0.113.1

On a machine behind a NAT:
  tcp-stun check --helper helper.example.org:4001`
    )
    .action(runHelper)
}

async function runHelper (
  { announce = [], externalIp, trustedProxy, key, json, ...options }: HelperOptions
): Promise<void> {
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
    externalIPs: externalIp,
    trustedProxies: trustedProxy,
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

  print(['Limits', ...limitsText(helper.limits)].join('\n'), 'limits', helper.limits)

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
