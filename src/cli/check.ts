import net from 'node:net'
import { styleText } from 'node:util'
import { multiaddr } from '@multiformats/multiaddr'
import { Command } from 'commander'
import { pEvent } from 'p-event'
import { DEFAULT_STUN_SERVERS } from '../constants.ts'
import { PublicMapping } from '../mapping/mapping.ts'
import { assertPortFree, bindSocket, portSharing } from '../net/bound-socket.ts'
import { stunURI, wholeNumber } from './options.ts'
import type { MappingStatus } from '../mapping/status.ts'

interface CheckOptions {
  server?: string[]
  port: number
  hold: number
  timeout: number
  allowPrivate?: boolean
  json?: boolean
}

/**
 * How long to wait for a second server after the first, in ms
 */
const SECOND_OPINION = 1_000

/**
 * What the command exits with. 1 is for wrong flags and for what should not happen.
 */
const EXIT_CODES: Record<MappingStatus['state'], number> = {
  direct: 0,
  mapped: 0,
  'endpoint-dependent': 2,
  acquiring: 3,
  lost: 3,
  unsupported: 4
}

export function checkCommand (): Command {
  return new Command('check')
    .description('Ask STUN servers from one TCP port which public address your NAT gives it')
    .option('-s, --server <uri>', 'STUN server to ask, repeatable (default: a list of public ones)', stunURI)
    .option('-p, --port <number>', 'local port, 0 for any', wholeNumber(0, 65_535), 0)
    .option('--hold <seconds>', 'hold the mapping for so long, and tell every change', wholeNumber(0, 1_000_000), 0)
    .option('--timeout <ms>', 'how long to wait for an answer', wholeNumber(1, 0x7fffffff), 10_000)
    .option('--allow-private', 'accept a private address, of a server in your own network')
    .option('--json', 'print events as JSON, a line each; the last one is the verdict')
    .addHelpText('after', `
Exit codes:
  0  the port has one public address, or there is no NAT
  1  wrong flags, or the port is taken
  2  the NAT gives every server another port: no peer could use any
  3  no server could be asked
  4  this platform can not share a port between a listener and a client

Examples:
  tcp-stun check
  tcp-stun check --server stun:stun.example.org --server stuns:stun.example.net
  tcp-stun check --port 4001 --hold 300`)
    .action(runCheck)
}

async function runCheck (options: CheckOptions): Promise<void> {
  const { server: stunServers = DEFAULT_STUN_SERVERS, hold, timeout, allowPrivate } = options
  const say = (text: string, event: string, detail: object = {}): void => {
    process.stdout.write(options.json === true ? `${JSON.stringify({ event, ...detail })}\n` : `${text}\n`)
  }
  const local = loopbackOnly(stunServers) ? '127.0.0.1' : '0.0.0.0'
  const { server, port } = await listen(local, options.port)
  const mapping = new PublicMapping({}, {
    listener: multiaddr(`/ip4/${local}/tcp/${port}`),
    stunServers,
    allowPrivateMapping: allowPrivate
  })
  const failed = new Map<string, string>()

  try {
    say(`Asking ${stunServers.length} STUN server${stunServers.length === 1 ? '' : 's'} over TCP from local port ${port} ...`, 'asking', { stunServers, port })
    mapping.addEventListener('status', ({ detail }) => {
      for (const { server, error } of detail.failures) {
        if (failed.get(server) !== error.message) {
          failed.set(server, error.message)
          say(`  ${paint('yellow', 'failed')}  ${server}: ${error.message}`, 'failed', { server, name: error.name, message: error.message })
        }
      }
    })
    mapping.addEventListener('changed', ({ detail }) => {
      say(`  ${paint('yellow', 'changed')} to ${describe(detail)}`, 'changed', { external: describe(detail) })
    })

    await mapping.start(AbortSignal.timeout(timeout)).catch(() => {})

    // one answer says little of the NAT: the others get another moment
    if ('servers' in mapping.status && mapping.status.servers.length < Math.min(2, stunServers.length)) {
      await pEvent(mapping, 'status', { timeout: SECOND_OPINION }).catch(() => {})
    }

    const stopped = new AbortController()
    const stop = (): void => { stopped.abort() }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)

    if (hold > 0 && 'external' in mapping.status) {
      say(`  ${describe(mapping.status)}, holding it for ${hold} s ...`, 'holding', { external: describe(mapping.status), seconds: hold })
      // ends by the time or by a signal, both are fine
      await pEvent(mapping, 'lost', { signal: AbortSignal.any([stopped.signal, AbortSignal.timeout(hold * 1_000)]) }).catch(() => {})
    }

    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)

    const { status } = mapping
    const { title, advice } = verdict(status)
    process.exitCode = EXIT_CODES[status.state]
    say(`\n${paint(process.exitCode === 0 ? 'green' : 'yellow', title)}\n${advice}`, 'verdict', {
      state: status.state,
      external: 'external' in status ? status.external.toString() : undefined,
      local: 'local' in status ? status.local.toString() : undefined,
      behaviour: 'behaviour' in status ? status.behaviour : undefined,
      portPreserved: 'external' in status ? portOf(status.external.toString()) === String(port) : undefined,
      servers: 'servers' in status ? status.servers : undefined,
      addresses: 'addresses' in status ? status.addresses.map(({ server, external }) => ({ server, external: external.toString() })) : undefined,
      exitCode: process.exitCode
    })
  } finally {
    await mapping.close()
    server.close()
  }
}

/**
 * In plain words, with what to do
 */
function verdict (status: MappingStatus): { title: string, advice: string } {
  switch (status.state) {
    case 'direct':
      return {
        title: `There is no NAT: you are at ${status.external}.`,
        advice: 'Peers can dial you, unless a firewall keeps them out.'
      }
    case 'mapped':
      return {
        title: `Your NAT gives ${status.local} the public address ${status.external}.`,
        advice: status.behaviour === 'endpoint-independent'
          ? `${status.servers.length} servers agree, so it is the same for every peer. Peers can dial it if your NAT\nlets strangers in; STUN over TCP can not tell that.`
          : 'Only one server was asked, so it is not known whether other peers see the same\nport. Name a second one with --server.'
      }
    case 'endpoint-dependent':
      return {
        title: 'Your NAT gives every peer another port.',
        advice: `Nobody can dial you. Forward a port in your router, turn on UPnP, or use a relay.\n${status.addresses.map(({ server, external }) => `  ${server} sees ${external}`).join('\n')}`
      }
    case 'unsupported':
      return {
        title: 'This platform can not share a TCP port.',
        advice: status.reason.message
      }
    default:
      return {
        title: 'No STUN server could be asked.',
        advice: 'Is there a network? Does a firewall stop TCP to port 3478? Many public servers\nspeak UDP only: name one that speaks TCP with --server.'
      }
  }
}

async function listen (host: string, port: number): Promise<{ server: net.Server, port: number }> {
  const server = net.createServer(socket => { socket.destroy() })

  if (portSharing() === 'unsupported') {
    return { server, port }
  }

  assertPortFree({ host, port })
  const bound = bindSocket({ host, port })
  const listening = pEvent(server, 'listening')
  bound.listen(server)
  await listening

  return { server, port: bound.port }
}

/**
 * From a loopback address only servers on loopback can be reached, and those
 * see the address that is connected from
 */
function loopbackOnly (servers: string[]): boolean {
  return servers.every(server => /^stuns?:(127\.|localhost\b)/i.test(server))
}

function describe (status: MappingStatus): string {
  return 'external' in status ? status.external.toString() : status.state
}

function portOf (address: string): string | undefined {
  return address.split('/').at(-1)
}

function paint (colour: 'green' | 'yellow', text: string): string {
  return process.stdout.isTTY && process.env.NO_COLOR == null ? styleText(colour, text) : text
}
