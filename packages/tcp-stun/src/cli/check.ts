import { Command } from 'commander'
import { check } from '../check/check.ts'
import { EXIT_CODES } from '../check/verdict.ts'
import { nodeToJSON, progressToJSON, reportToJSON } from './check-json.ts'
import { CheckPrinter } from './check-printer.ts'
import { exitOnClosedOutput } from './closed-output.ts'
import { fitHelp } from './help.ts'
import { nodeExitCode } from './node-text.ts'
import { stunURI, texts, wholeNumber } from './options.ts'
import type { CheckMultiaddrs, MultiaddrTexts } from './multiaddr-options.ts'
import type { NodeReport } from '../check/ask-node.ts'
import type { CheckReport } from '../check/check.ts'
import type { Progress } from '../check/progress.ts'

interface CheckOptions extends CheckMultiaddrs {
  server?: string[]
  ipv4?: boolean
  ipv6?: boolean
  port: number
  forwardedPort?: number
  hold: number
  timeout: number
  allowPrivate?: boolean
  json?: boolean
}

/**
 * As they were given
 */
type CheckTexts = Omit<CheckOptions, keyof CheckMultiaddrs> & MultiaddrTexts

/**
 * What the outcome is written with: text for people, JSON for machines
 */
interface Output {
  onProgress(progress: Progress): void
  onReport(report: CheckReport, exitCode: number): void
  onNode(report: NodeReport, exitCode: number): void
  onInterrupt(): void
  stop(): void
}

/**
 * What a shell reports for a command that Ctrl-C has ended (128 + SIGINT)
 */
const INTERRUPTED = 130

const NOTES = `
Can strangers dial me? STUN cannot tell, so somebody outside has to try. Name a machine
that runs "tcp-stun helper", or any libp2p peer that serves AutoNAT v2. Without one, a
public address is found but not tested.

Which port? Without --port any free one. A node's own port can be tested while the node is
stopped; a running node is asked with --node.

Which servers? Name two at different addresses: one server alone cannot tell whether other
peers see the same port. They must answer over TCP; many do not.

Exit codes:
  0    reachable by anyone: a stranger has dialled in
  1    wrong options, or the port is in use
  2    reachable through a relay only: the NAT gives every destination another address
  3    no STUN server reported an address
  4    this platform cannot share a port between a listener and a connection
  5    a public address was found, but no stranger has tested it
  6    reachable by hole punching only: the NAT keeps strangers out
  130  interrupted before there was a verdict

Examples:
  tcp-stun check
  tcp-stun check --helper helper.example.org:4001
  tcp-stun check -4 -s stun:stun.example.org -s stuns:stun.example.net
  tcp-stun check --peer /dnsaddr/peer.example.org
  tcp-stun check --port 4001 --hold 300
  tcp-stun check --node /ip4/127.0.0.1/tcp/4001
  tcp-stun check --json | tail -n 1`

export function checkCommand (): Command {
  const command = new Command('check')
    .description('Find out whether peers can dial you behind your NAT, and what to do if they cannot')
    .option('-s, --server <uri>', 'STUN server to ask, repeatable (default: public ones)', stunURI)
    .option(
      '--helper <host:port>',
      'machine outside that runs "tcp-stun helper", to test by dialling in; repeatable',
      texts
    )
    .option(
      '--peer <multiaddr>',
      'libp2p peer outside that serves AutoNAT v2, to test by dialling in; /dnsaddr too; repeatable',
      texts
    )
    .option('-4, --ipv4', 'check IPv4 only (default: both)')
    .option('-6, --ipv6', 'check IPv6 only')
    .option('-p, --port <number>', 'local port, 0 for any', wholeNumber(0, 65_535), 0)
    .option('--forwarded-port <number>', 'external port that the router forwards to --port', wholeNumber(1, 65_535))
    .option('--node <multiaddr>', 'ask a running node which addresses it announces, instead of testing a port')
    .option(
      '--hold <seconds>',
      'see how long each server keeps its connection, afterwards',
      wholeNumber(0, 1_000_000),
      0
    )
    .option('--timeout <ms>', 'limit for everything except --hold', wholeNumber(1, 0x7fffffff), 30_000)
    .option('--allow-private', 'accept a private address, from a server in your own network')
    .option('--json', 'print one JSON object a line; the last one is the verdict')

  return fitHelp(command, NOTES).action(runCheck)
}

async function runCheck (texts: CheckTexts, command: Command): Promise<void> {
  const options: CheckOptions = { ...texts, ...await readMultiaddrs(texts, command) }
  const { server = [], helper = [], peer = [], port, timeout, json } = options
  const output = json === true
    ? jsonOutput()
    : new CheckPrinter({ servers: server, helpers: helper, peers: peer, port })
  const interrupted = new AbortController()
  const interrupt = (): void => { interrupted.abort() }
  const { signal } = interrupted

  exitOnClosedOutput()
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)

  try {
    if (options.node == null) {
      await checkPort(options, output, signal)
    } else {
      const { askNode } = await import('../check/ask-node.ts')
      const report = await askNode(options.node, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]) })

      process.exitCode = nodeExitCode(report)
      output.onNode(report, process.exitCode)
    }
  } catch (err: any) {
    if (!interrupted.signal.aborted) {
      throw await explain(err, options, output)
    }

    process.exitCode = INTERRUPTED
    output.onInterrupt()
  } finally {
    output.stop()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

/**
 * Multiaddrs take as long to load as all the rest, and most checks name none
 */
async function readMultiaddrs (texts: MultiaddrTexts, command: Command): Promise<CheckMultiaddrs> {
  if (texts.helper == null && texts.peer == null && texts.node == null) {
    return { helper: undefined, peer: undefined, node: undefined }
  }

  const { toMultiaddrs } = await import('./multiaddr-options.ts')

  return toMultiaddrs(texts, command)
}

async function checkPort (options: CheckOptions, output: Output, signal: AbortSignal): Promise<void> {
  const {
    server, helper = [], peer = [], ipv4 = false, ipv6 = false, port, forwardedPort, hold, timeout, allowPrivate
  } = options

  if (forwardedPort != null && helper.length + peer.length === 0) {
    throw new Error('--forwarded-port can only be tested from outside: name a --helper or a --peer too')
  }

  const report = await check({
    stunServers: server,
    dialBackPeers: [...helper, ...peer],
    versions: ipv4 === ipv6 ? undefined : ipv4 ? [4] : [6],
    port,
    forwardedPort,
    timeout,
    hold: hold * 1_000,
    allowPrivate,
    signal,
    onProgress: progress => { output.onProgress(progress) }
  })

  process.exitCode = EXIT_CODES[report.verdict.kind]
  output.onReport(report, process.exitCode)
}

/**
 * An error that says what to do. When the port is in use by a node, what that node
 * says of itself is shown first.
 */
async function explain (err: any, { node, port }: CheckOptions, output: Output): Promise<Error> {
  if (node != null) {
    return new Error(
      `${node} did not tell its addresses: ${err.message}. Is it a running libp2p node with TCP, noise and yamux?`,
      { cause: err }
    )
  }

  if (err.code !== 'EADDRINUSE') {
    return err
  }

  output.stop()
  const { askNodeOnPort, portInUseText } = await import('./port-in-use.ts')
  const report = await askNodeOnPort(port)

  if (report != null) {
    output.onNode(report, 1)
  }

  return new Error(await portInUseText(port), { cause: err })
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
    onNode: (report, exitCode) => { write(nodeToJSON(report, exitCode)) },
    onInterrupt: () => { write({ event: 'interrupted', exitCode: INTERRUPTED }) },
    stop: () => {}
  }
}
