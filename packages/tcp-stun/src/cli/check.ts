import { isIP } from 'node:net'
import { Command } from 'commander'
import { DEFAULT_STUN_SERVERS } from 'libp2p-tcp-stun'
import { parseSTUNURI } from 'libp2p-tcp-stun/stun'
import { check } from '../check/check.ts'
import { EXIT_CODES } from '../check/verdict.ts'
import { progressToJSON, reportToJSON } from './check-json.ts'
import { CheckPrinter } from './check-printer.ts'
import { helperAddress, multiaddrs, stunURI, wholeNumber } from './options.ts'
import type { CheckReport } from '../check/check.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { STUNURI } from 'libp2p-tcp-stun/stun'

interface CheckOptions {
  server?: string[]
  helper?: Multiaddr[]
  peer?: Multiaddr[]
  ipv4?: boolean
  ipv6?: boolean
  port: number
  hold: number
  timeout: number
  allowPrivate?: boolean
  json?: boolean
}

/**
 * Of the public servers no more are asked than are needed: three, so that one
 * that lies is outvoted
 */
const ENOUGH = 3

/**
 * As a shell says that a command was interrupted
 */
const INTERRUPTED = 130

export function checkCommand (): Command {
  return new Command('check')
    .description('Find out what your NAT lets peers do, and what to do about it')
    .option('-s, --server <uri>', 'STUN server to ask, repeatable (default: public ones)', stunURI)
    .option('--helper <host:port>', 'machine outside that runs "tcp-stun helper", to dial in; repeatable', helperAddress)
    .option('--peer <multiaddr>', 'peer of libp2p that serves AutoNAT v2, to dial in; repeatable', multiaddrs)
    .option('-4, --ipv4', 'check IPv4 only (default: both)')
    .option('-6, --ipv6', 'check IPv6 only')
    .option('-p, --port <number>', 'local port, 0 for any', wholeNumber(0, 65_535), 0)
    .option('--hold <seconds>', 'afterwards see how long each server keeps its connection', wholeNumber(0, 1_000_000), 0)
    .option('--timeout <ms>', 'how long all but --hold may take', wholeNumber(1, 0x7fffffff), 30_000)
    .option('--allow-private', 'accept a private address, of a server in your own network')
    .option('--json', 'print events as JSON, a line each; the last one is the verdict')
    .addHelpText('after', `
Can strangers dial me? STUN can not tell: somebody outside has to try. Name a
machine that runs "tcp-stun helper", or any peer that serves AutoNAT v2. Without
one the best verdict is "perhaps". It needs libp2p:
  npm install libp2p @libp2p/noise @libp2p/yamux

Which servers? Name two at different addresses: with one it is not known whether
other peers see the same port. They must speak TCP, which many do not.

Exit codes:
  0    dialable by anyone: a stranger did it
  1    wrong flags, or the port is taken
  2    only by relay: the NAT gives every peer another port
  3    no server could be asked
  4    this platform can not share a port between a listener and a client
  5    perhaps dialable by anyone: nobody outside has tried
  6    dialable after a punch: strangers are kept out
  130  interrupted before there was a verdict

Examples:
  tcp-stun check
  tcp-stun check --helper helper.example.org:4001
  tcp-stun check -4 -s stun:stun.example.org -s stuns:stun.example.net
  tcp-stun check --port 4001 --hold 300
  tcp-stun check --json | tail -n 1`)
    .action(runCheck)
}

async function runCheck (options: CheckOptions): Promise<void> {
  const { server, helper = [], peer = [], ipv4 = false, ipv6 = false, port, hold, timeout, allowPrivate = false, json = false } = options
  const servers = (server ?? DEFAULT_STUN_SERVERS).map(uri => parseSTUNURI(uri))
  const printer = json ? undefined : new CheckPrinter()
  const write = (line?: object): void => {
    if (line != null) {
      process.stdout.write(`${JSON.stringify(line)}\n`)
    }
  }
  const interrupted = new AbortController()
  const interrupt = (): void => { interrupted.abort() }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)

  try {
    const report = await check({
      servers,
      enough: server == null ? ENOUGH : Infinity,
      helpers: [...helper, ...peer],
      versions: ipv4 === ipv6 ? versionsOf(servers) : ipv4 ? [4] : [6],
      port,
      timeout,
      hold: hold * 1_000,
      allowPrivate,
      signal: interrupted.signal,
      onProgress: progress => {
        printer?.onProgress(progress)
        json && write(progressToJSON(progress))
      }
    })

    conclude(report)
  } catch (err) {
    if (!interrupted.signal.aborted) {
      throw err
    }

    printer?.stop()
    write(json ? { event: 'interrupted', exitCode: INTERRUPTED } : undefined)
    process.exitCode = INTERRUPTED
  } finally {
    printer?.stop()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }

  function conclude (report: CheckReport): void {
    process.exitCode = EXIT_CODES[report.verdict.kind]
    printer?.onReport(report)
    write(json ? reportToJSON(report, process.exitCode) : undefined)
  }
}

/**
 * Those that there is a server to ask for
 */
function versionsOf (servers: STUNURI[]): Array<4 | 6> {
  return ([4, 6] as const).filter(version => servers.some(({ host }) => isIP(host) === 0 || isIP(host) === version))
}
