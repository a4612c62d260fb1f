/* eslint-disable no-console */
/**
 * Our server and Debian's coturn in turn, under the same load:
 *
 *   npm run bench:server -- [--check] [--json FILE] [--seconds 5] [--rounds 3] [--workers 2]
 *
 * Ours has as many workers as the machine has cores, as coturn has threads.
 * `--check` exits with 1 when a number that docs/server.md promises is missed.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import os from 'node:os'
import { parseArgs } from 'node:util'
import { Load, startOurs, startTheirs } from './processes.ts'
import type { LoadReport, Subject } from './processes.ts'

const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    json: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    workers: { type: 'string', default: String(os.cpus().length) },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '20000' },
    'open-seconds': { type: 'string', default: '30' }
  }
})

interface Row {
  what: string
  unit: string
  ours: number
  coturn?: number

  /**
   * What was promised, in words, and whether it holds
   */
  promise?: { text: string, kept: boolean }
}

const SECONDS = Number(options.seconds)
const ROUNDS = Number(options.rounds)
const WORKERS = Number(options.workers)
const HELD = Number(options.connections)

/**
 * A process may not open more files than this, and needs some for itself
 */
const FILES = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })) - 200

const MAX_MEMORY = 5_000

/**
 * Two runs of one program differ by so much on a quiet machine
 */
const NOISE = 1.03

const load = new Load()
const rows: Row[] = []

try {
  for (const connections of [1, 50, 500]) {
    await requests(connections)
  }

  await idle()
  await opens()
} finally {
  load.remove()
}

print()

if (options.json != null) {
  writeFileSync(options.json, `${JSON.stringify({ node: process.version, cpu: os.cpus()[0].model, cores: os.cpus().length, kernel: os.release(), rows }, null, 2)}\n`)
}

if (options.check && rows.some(({ promise }) => promise?.kept === false)) {
  process.exitCode = 1
}

/**
 * Requests a second and CPU a request, A B A B: the median of the rounds
 */
async function requests (connections: number): Promise<void> {
  const measured: Record<string, Array<{ rate: number, cpu: number }>> = { ours: [], coturn: [] }

  for (let round = 0; round < ROUNDS; round++) {
    for (const start of [async () => startOurs(WORKERS), startTheirs]) {
      await using(await start(), async subject => {
        let before = 0
        const report = await load.run('ask', subject.port, connections, SECONDS, () => { before = subject.cpu() })
        expectClean(report, subject)
        measured[subject.name].push({ rate: report.answered / report.seconds, cpu: (subject.cpu() - before) / report.answered * 1e6 })
      })
    }
  }

  const [ours, coturn] = [measured.ours, measured.coturn].map(all => ({ rate: median(all.map(({ rate }) => rate)), cpu: median(all.map(({ cpu }) => cpu)) }))
  rows.push({ what: `requests a second, ${connections} connections`, unit: '1/s', ours: ours.rate, coturn: coturn.rate, promise: { text: "at least coturn's", kept: ours.rate * NOISE >= coturn.rate } })
  rows.push({ what: `CPU a request, ${connections} connections`, unit: 'us', ours: ours.cpu, coturn: coturn.cpu, promise: { text: "at most coturn's", kept: ours.cpu <= coturn.cpu * NOISE } })
}

/**
 * Memory of an idle connection that has asked once, and whether all are answered
 * still. Where a process may not have so many, several workers hold them.
 */
async function idle (): Promise<void> {
  const workers = Math.max(WORKERS, HELD > FILES ? Math.ceil(HELD / FILES * 1.05) : 0)
  const ours = await using(await startOurs(workers), async subject => held(subject, HELD))
  const coturn = await using(await startTheirs(), async subject => held(subject, Math.min(HELD, Math.floor(FILES / 2))))

  rows.push({ what: `memory of one of ${HELD} idle connections`, unit: 'bytes', ours: ours.memory, coturn: coturn.memory, promise: { text: `at most ${MAX_MEMORY}`, kept: ours.memory <= MAX_MEMORY } })
  rows.push({ what: 'of them answered again', unit: '', ours: ours.answered, promise: { text: `all ${HELD}`, kept: ours.answered === HELD } })
}

async function held (subject: Subject, connections: number): Promise<{ memory: number, answered: number }> {
  // the first ones warm it up: what they leave behind is not theirs
  const warm = await load.hold(subject.port, 500)
  await warm.stop()
  const before = subject.memory()
  const programs = Math.ceil(connections / FILES)
  const holders = await Promise.all(Array.from({ length: programs }, async (_, i) => load.hold(subject.port, Math.floor(connections / programs) + (i < connections % programs ? 1 : 0))))
  const memory = (subject.memory() - before) / connections
  const again = await Promise.all(holders.map(async holder => holder.ask()))
  await Promise.all(holders.map(async holder => holder.stop()))

  return { memory, answered: again.reduce((sum, { answered }) => sum + answered, 0) }
}

async function opens (): Promise<void> {
  const seconds = Number(options['open-seconds'])
  const report = await using(await startOurs(WORKERS), async subject => load.run('open', subject.port, 1_000, seconds, () => {}))

  rows.push({ what: `answered, 1 000 new connections a second for ${seconds} s`, unit: '', ours: report.answered, promise: { text: `all ${seconds * 1_000}`, kept: report.answered === seconds * 1_000 && report.errors === 0 } })
  rows.push({ what: 'the slowest answer then', unit: 'ms', ours: report.maxLatencyMs })
}

async function using<T> (subject: Subject, use: (subject: Subject) => Promise<T>): Promise<T> {
  try {
    return await use(subject)
  } finally {
    await subject.stop()
  }
}

function expectClean ({ errors }: LoadReport, { name }: Subject): void {
  if (errors > 0) {
    throw new Error(`${errors} errors under load by ${name}`)
  }
}

function median (values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

function print (): void {
  const cells = rows.map(({ what, unit, ours, coturn, promise }) => [
    what,
    `${round(ours)} ${unit}`.trim(),
    coturn == null ? '' : `${round(coturn)} ${unit}`.trim(),
    promise == null ? '' : `${promise.text}: ${promise.kept ? 'kept' : 'MISSED'}`
  ])
  const table = [['', 'ours', 'coturn', 'promise'], ...cells]
  const widths = table[0].map((_, i) => Math.max(...table.map(row => row[i].length)))

  for (const row of table) {
    console.info(row.map((cell, i) => i === 0 || i === 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join('  ').trimEnd())
  }
}

function round (value: number): string {
  return value < 100 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ' ')
}
