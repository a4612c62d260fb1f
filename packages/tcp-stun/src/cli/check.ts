import { Command } from 'commander'
import { check } from '../check/check.ts'
import { EXIT_CODES } from '../check/verdict.ts'
import { progressToJSON, reportToJSON } from './check-json.ts'
import { CheckPrinter } from './check-printer.ts'
import { exitOnClosedOutput } from './closed-output.ts'
import { helperAddress, multiaddrs, stunURI, wholeNumber } from './options.ts'
import type { CheckReport } from '../check/check.ts'
import type { Progress } from '../check/progress.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

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
 * What the outcome is written with: text for people, JSON for machines
 */
interface Output {
  onProgress(progress: Progress): void
  onReport(report: CheckReport, exitCode: number): void
  onInterrupt(): void
  stop(): void
}

/**
 * What a shell reports for a command that Ctrl-C has ended (128 + SIGINT)
 */
const INTERRUPTED = 130

export function checkCommand (): Command {
  return new Command('check')
    .description('Find out whether peers can dial you behind your NAT, and what to do if they cannot')
    .option('-s, --server <uri>', 'STUN server to ask, repeatable (default: public ones)', stunURI)
    .option(
      '--helper <host:port>',
      'machine outside that runs "tcp-stun helper", to test by dialling in; repeatable',
      helperAddress
    )
    .option(
      '--peer <multiaddr>',
      'libp2p peer outside that serves AutoNAT v2, to test by dialling in; repeatable',
      multiaddrs
    )
    .option('-4, --ipv4', 'check IPv4 only (default: both)')
    .option('-6, --ipv6', 'check IPv6 only')
    .option('-p, --port <number>', 'local port, 0 for any', wholeNumber(0, 65_535), 0)
    .option(
      '--hold <seconds>',
      'see how long each server keeps its connection, afterwards',
      wholeNumber(0, 1_000_000),
      0
    )
    .option('--timeout <ms>', 'limit for everything except --hold', wholeNumber(1, 0x7fffffff), 30_000)
    .option('--allow-private', 'accept a private address, from a server in your own network')
    .option('--json', 'print one JSON object a line; the last one is the verdict')
    .addHelpText(
      'after',
      `
Can strangers dial me? STUN cannot tell, so somebody outside has to try. Name a
machine that runs "tcp-stun helper", or any libp2p peer that serves AutoNAT v2.
Without one, a public address is found but not tested.

Which servers? Name two at different addresses: one server alone cannot tell
whether other peers see the same port. They must answer over TCP; many do not.

Exit codes:
  0    reachable by anyone: a stranger has dialled in
  1    wrong options, or the port is in use
  2    reachable by relay only: the NAT gives every destination another address
  3    no STUN server reported an address
  4    this platform cannot share a port between a listener and a connection
  5    a public address was found, but no stranger has tested it
  6    reachable by hole punching only: the NAT keeps strangers out
  130  interrupted before there was a verdict

Examples:
  tcp-stun check
  tcp-stun check --helper helper.example.org:4001
  tcp-stun check -4 -s stun:stun.example.org -s stuns:stun.example.net
  tcp-stun check --port 4001 --hold 300
  tcp-stun check --json | tail -n 1`
    )
    .action(runCheck)
}

async function runCheck (options: CheckOptions): Promise<void> {
  const {
    server, helper = [], peer = [], ipv4 = false, ipv6 = false, port, hold, timeout, allowPrivate, json
  } = options
  const output = json === true ? jsonOutput() : new CheckPrinter()
  const interrupted = new AbortController()
  const interrupt = (): void => { interrupted.abort() }

  exitOnClosedOutput()
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)

  try {
    const report = await check({
      stunServers: server,
      dialBackPeers: [...helper, ...peer],
      versions: ipv4 === ipv6 ? undefined : ipv4 ? [4] : [6],
      port,
      timeout,
      hold: hold * 1_000,
      allowPrivate,
      signal: interrupted.signal,
      onProgress: progress => { output.onProgress(progress) }
    })

    process.exitCode = EXIT_CODES[report.verdict.kind]
    output.onReport(report, process.exitCode)
  } catch (err) {
    if (!interrupted.signal.aborted) {
      throw err
    }

    process.exitCode = INTERRUPTED
    output.onInterrupt()
  } finally {
    output.stop()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

function jsonOutput (): Output {
  const write = (line?: object): void => {
    if (line != null) {
      process.stdout.write(`${JSON.stringify(line)}\n`)
    }
  }

  return {
    onProgress: progress => { write(progressToJSON(progress)) },
    onReport: (report, exitCode) => { write(reportToJSON(report, exitCode)) },
    onInterrupt: () => { write({ event: 'interrupted', exitCode: INTERRUPTED }) },
    stop: () => {}
  }
}
