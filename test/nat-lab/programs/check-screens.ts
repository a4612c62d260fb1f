import { stripVTControlCharacters } from 'node:util'
import { multiaddr } from '@multiformats/multiaddr'
import { check } from '../../../packages/tcp-stun/src/check/check.ts'
import { EXIT_CODES } from '../../../packages/tcp-stun/src/check/verdict.ts'
import { reportToJSON } from '../../../packages/tcp-stun/src/cli/check-json.ts'
import { CheckPrinter } from '../../../packages/tcp-stun/src/cli/check-printer.ts'
import { emit, readOptions } from '../../child/commands.ts'
import type { CheckReport } from '../../../packages/tcp-stun/src/check/check.ts'
import type { Progress } from '../../../packages/tcp-stun/src/check/progress.ts'
import type { CheckFlags } from '../../../packages/tcp-stun/src/cli/again.ts'

/**
 * Makes one check, says when it only waits for the peer outside, and prints it as
 * terminals of several widths show it. What differs from run to run is replaced in the
 * findings, so that lines break at the same places.
 */
export interface CheckScreensInit {
  servers: string[]
  helpers?: string[]
  versions?: Array<4 | 6>
  port?: number
  forwardedPort?: number
  widths: number[]

  /**
   * What each text is replaced with, for example the address of this home with that of
   * all homes
   */
  replace?: Record<string, string>
}

const options = readOptions<CheckScreensInit>()
const { servers, helpers: texts = [], versions, port = 0, forwardedPort, widths, replace = {} } = options
const helpers = texts.map(text => multiaddr(text))
const all: Progress[] = []
const report = await check({
  stunServers: servers,
  dialBackPeers: helpers,
  versions,
  port,
  forwardedPort,
  onProgress: progress => {
    all.push(progress)

    if (progress.event === 'step' && progress.step === 'dial-back') {
      emit('measured')
    }
  }
})
const exitCode = EXIT_CODES[report.verdict.kind]
const flags: CheckFlags = { servers, helpers, peers: [], port }
const KNOWN_PORTS = new Set([3478, 3479, 4001])
const ports = new Map<number, number>()
// which server answers first is chance
const steady = order(all)
const screens = Object.fromEntries(widths.map(columns => {
  let screen = ''
  const printer = new CheckPrinter(flags, { columns, write: text => { screen += text } })
  steady.forEach(progress => { printer.onProgress(normalise(progress)) })
  printer.onReport(normalise(report))

  return [columns, stripVTControlCharacters(screen)]
}))

emit('verdict', { ...reportToJSON(report, exitCode), screens })

function order (events: Progress[]): Progress[] {
  const name = (progress: Progress): string => progress.event === 'answer'
    ? `${progress.view.endpoint.host} ${progress.view.endpoint.port}`
    : ''
  const answers = events.filter(({ event }) => event === 'answer').sort((a, b) => name(a).localeCompare(name(b)))

  return events.map(progress => progress.event === 'answer' ? answers.shift() ?? progress : progress)
}

/**
 * A copy with steady times, ports and addresses
 */
function normalise<T extends Progress | CheckReport> (value: T): T {
  return visit(value, '') as T
}

function visit (value: unknown, key: string): unknown {
  if (typeof value === 'number') {
    return key === 'roundTrip' ? 12 : key === 'port' ? portFor(value) : value
  }

  if (typeof value === 'string') {
    return Object.entries(replace).reduce((text, [from, to]) => text.replaceAll(from, to), value)
  }

  if (Array.isArray(value)) {
    return value.map(each => visit(each, key))
  }

  if (value instanceof Error) {
    return value
  }

  return value != null && typeof value === 'object'
    ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, visit(each, key)]))
    : value
}

/**
 * Ports that were chosen by chance become 50001, 50002 and so on
 */
function portFor (actual: number): number {
  if (KNOWN_PORTS.has(actual)) {
    return actual
  }

  const known = ports.get(actual) ?? 50_001 + ports.size
  ports.set(actual, known)

  return known
}
