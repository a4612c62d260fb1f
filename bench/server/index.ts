/**
 * Our server and Debian's coturn in turn, under the same load: `npm run
 * bench:server`, with `-- --check --report --rounds 35 --json FILE` as wanted, and
 * `--seconds 0.4 --workers 2 --connections 20000 --open-seconds 30 --burst 200000
 * --burst-workers 16` with these defaults.
 *
 * Ours has as many workers as the machine has cores, as coturn has threads.
 */
import { execFileSync } from 'node:child_process'
import os from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { benchOptions } from '../lib/options.ts'
import { atLeast, atMost } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { ratio, sideBySide, toSample } from '../lib/side-by-side.ts'
import { Load, coturnVersion, startOurs, startTheirs } from './processes.ts'
import type { Subject } from './processes.ts'
import type { Sample } from '../lib/side-by-side.ts'

const options = benchOptions({
  seconds: { type: 'string', default: '0.4' },
  workers: { type: 'string', default: String(os.cpus().length) },
  connections: { type: 'string', default: '20000' },
  'open-seconds': { type: 'string', default: '30' },
  burst: { type: 'string', default: '200000' },
  'burst-workers': { type: 'string', default: '16' }
})

const SECONDS = Number(options.seconds)
const ROUNDS = options.rounds ?? 35
const WORKERS = Number(options.workers)
const HELD = Number(options.connections)

/**
 * The numbers of connections that promises are about, and for the chart those in
 * between
 */
const CONNECTIONS = options.report ? [1, 10, 50, 100, 500] : [1, 50, 500]
const PROMISED = [1, 50, 500]

/**
 * What one process may open, less what it needs itself
 */
const FILES = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })) - 200

/**
 * Of an idle connection, in bytes
 */
const MAX_MEMORY = 5_000

/**
 * New connections a second in a burst: what two cores serve with room to spare
 */
const BURST_RATE = 2_500

/**
 * How long the memory of a burst may take to be given back, in s
 */
const BURST_PATIENCE = 60
const MIB = 1024 * 1024

type Results = Record<'ours' | 'coturn', Sample>

const board = new Scoreboard('server', 'Server', options, { coturn: coturnVersion() })
const load = new Load()

try {
  await requests()
  await idle()
  await opens()
  await burst()
} finally {
  load.remove()
}

await board.finish()

async function requests (): Promise<void> {
  const lines: Record<string, Array<{ x: number, y: number }>> = { ours: [], coturn: [] }

  await using([await startOurs(WORKERS), await startTheirs()], async (ours, coturn) => {
    for (const connections of CONNECTIONS) {
      const { rate, cpu } = await ask(ours, coturn, connections)
      const promised = PROMISED.includes(connections)

      board.add({
        what: `requests a second, ${connections} connections`,
        unit: '1/s',
        results: rate,
        promise: promised ? atLeast(ratio(rate.ours, rate.coturn), 1, 'coturn') : undefined
      })
      board.add({
        what: `CPU a request, ${connections} connections`,
        unit: 'us',
        results: cpu,
        promise: promised ? atMost(ratio(cpu.ours, cpu.coturn), 1, 'coturn') : undefined
      })
      lines.ours.push({ x: connections, y: rate.ours.median })
      lines.coturn.push({ x: connections, y: rate.coturn.median })
    }
  })

  board.chart('server-requests', {
    title: 'Requests a second',
    x: { label: 'connections', log: true },
    y: { label: 'requests/s' },
    lines
  })
}

/**
 * Each connection sends a request as soon as it is answered
 */
async function ask (ours: Subject, coturn: Subject, connections: number): Promise<{ rate: Results, cpu: Results }> {
  const cpu: Record<'ours' | 'coturn', number[]> = { ours: [], coturn: [] }

  const measure = async (subject: Subject): Promise<number> => {
    const { answered, errors, seconds, subjectCPU } = await load.ask(subject, connections, SECONDS)

    if (errors > 0) {
      throw new Error(`${errors} errors under load by ${subject.name}`)
    }

    cpu[subject.name].push(subjectCPU / answered * 1e6)

    return answered / seconds
  }

  const rate = await sideBySide(ROUNDS, { ours: async () => measure(ours), coturn: async () => measure(coturn) })

  // without the warm-up round
  return { rate, cpu: { ours: toSample(cpu.ours.slice(1)), coturn: toSample(cpu.coturn.slice(1)) } }
}

/**
 * The memory of an idle connection that was answered once, and whether all are
 * answered again. Where one process may not hold so many, several workers do.
 */
async function idle (): Promise<void> {
  const workers = Math.max(WORKERS, HELD > FILES ? Math.ceil(HELD / FILES * 1.05) : 0)
  const ours = await using([await startOurs(workers)], async subject => held(subject, HELD))
  const coturn = await using([await startTheirs()], async subject =>
    held(subject, Math.min(HELD, Math.floor(FILES / 2)))
  )

  board.add({
    what: `memory of one of ${HELD} idle connections`,
    unit: 'bytes',
    results: { ours: ours.memory, coturn: coturn.memory },
    promise: { text: `at most ${MAX_MEMORY}`, kept: ours.memory <= MAX_MEMORY }
  })
  board.add({
    what: 'of them answered again',
    unit: '',
    results: { ours: ours.answered },
    promise: { text: 'all', kept: ours.answered === HELD }
  })
}

async function held (subject: Subject, connections: number): Promise<{ memory: number, answered: number }> {
  // the first ones warm it up: what they leave behind does not count
  const warm = await load.hold(subject.port, 500)
  await warm.stop()
  const before = subject.memory()
  const programs = Math.ceil(connections / FILES)
  const holders = await Promise.all(
    Array.from({ length: programs }, async (_, i) =>
      load.hold(subject.port, Math.floor(connections / programs) + (i < connections % programs ? 1 : 0))
    )
  )
  const memory = (subject.memory() - before) / connections
  const again = await Promise.all(holders.map(async holder => holder.ask()))
  await Promise.all(holders.map(async holder => holder.stop()))

  return { memory, answered: again.reduce((sum, { answered }) => sum + answered, 0) }
}

async function opens (): Promise<void> {
  const seconds = Number(options['open-seconds'])
  const { answered, errors, maxLatencyMs } = await using([await startOurs(WORKERS)], async subject =>
    load.open(subject.port, 1_000, seconds)
  )

  board.add({
    what: `answered, 1 000 new connections a second for ${seconds} s`,
    unit: '',
    results: { ours: answered },
    promise: { text: 'all', kept: answered === seconds * 1_000 && errors === 0 }
  })
  board.add({ what: 'the slowest answer then', unit: 'ms', results: { ours: maxLatencyMs } })
}

/**
 * What many short clients and HELD idle ones leave behind once they are gone
 */
async function burst (): Promise<void> {
  const clients = Number(options.burst)
  const workers = Number(options['burst-workers'])
  const after = Math.min(1_000, clients)

  await using([await startOurs(workers)], async subject => {
    const atRest = subject.resident()
    const short = await load.open(subject.port, BURST_RATE, clients / BURST_RATE)
    const programs = Math.ceil(HELD / FILES)
    const holders = await Promise.all(
      Array.from({ length: programs }, async () => load.hold(subject.port, Math.floor(HELD / programs)))
    )
    await Promise.all(holders.map(async holder => holder.stop()))
    const seconds = await secondsUntil(() => subject.resident() <= 1.2 * atRest + workers * 8 * MIB, BURST_PATIENCE)
    const last = await load.open(subject.port, after, 1)

    board.add({
      what: `answered, ${clients} short connections to ${workers} workers`,
      unit: '',
      results: { ours: short.answered },
      promise: { text: 'all', kept: short.answered === clients }
    })
    board.add({
      what: 'until their memory is given back, to 20 % and 8 MiB a worker above rest',
      unit: 's',
      results: { ours: seconds },
      promise: { text: `at most ${BURST_PATIENCE}`, kept: seconds <= BURST_PATIENCE }
    })
    board.add({
      what: `answered of ${after} connections after that`,
      unit: '',
      results: { ours: last.answered },
      promise: { text: 'all', kept: last.answered === after }
    })
  })
}

/**
 * How long it takes until the condition holds, at most a little longer than `max` s
 */
async function secondsUntil (condition: () => boolean, max: number): Promise<number> {
  const start = performance.now()
  const passed = (): number => (performance.now() - start) / 1_000

  while (!condition() && passed() <= max) {
    await delay(500)
  }

  return passed()
}

async function using<T> (subjects: Subject[], use: (...subjects: Subject[]) => Promise<T>): Promise<T> {
  try {
    return await use(...subjects)
  } finally {
    await Promise.all(subjects.map(async subject => subject.stop()))
  }
}
