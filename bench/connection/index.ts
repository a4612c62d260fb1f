/**
 * The throughput of our connections, of those of `@libp2p/tcp`, and of sockets of
 * Node: `npm run bench:connection`, with `-- --check --report --rounds 101 --json
 * FILE` as wanted
 */
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { atLeast } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { ratio } from '../lib/side-by-side.ts'
import { startPairs } from './pairs.ts'
import type { Subject } from './ends.ts'
import type { Measurement } from './pairs.ts'
import type { ChartSpec } from '../lib/chart.ts'
import type { Promised } from '../lib/promise.ts'
import type { Sample } from '../lib/side-by-side.ts'

type Results = Record<Subject, Sample>

const options = benchOptions()
const rounds = options.rounds ?? (options.report ? 63 : 42)
const board = new Scoreboard(
  'connection',
  'Connection',
  options,
  Object.fromEntries(
    ['@libp2p/tcp', '@libp2p/utils', '@libp2p/noise', '@libp2p/yamux', 'libp2p'].map(name => [
      name,
      packageVersion(name)
    ])
  )
)
const ALL: Subject[] = ['ours', '@libp2p/tcp', 'net']
const TRANSPORTS: Subject[] = ['ours', '@libp2p/tcp']

// `wanted` is how many times @libp2p/tcp, where less is promised; docs/benchmarks.md explains why
for (const { what, thanTCP, thanNet, wanted, ...measurement } of [
  { what: '64 KiB whole', size: 65_536, thanTCP: 0.9, wanted: 1, thanNet: 0.85 },
  { what: '64 KiB in 64 pieces', size: 65_536, pieces: 64, thanTCP: 4.5, wanted: 5 },
  { what: '4 KiB whole', size: 4_096, thanTCP: 1.5, thanNet: 0.9 },
  { what: '4 KiB in 2 pieces', size: 4_096, pieces: 2, thanTCP: 2 },
  { what: '100 B', size: 100, thanTCP: 1, thanNet: 0.9 }
]) {
  await promise(`one way, ${what}`, 'MB/s', ALL, measurement, thanTCP, thanNet, wanted)
}

await promise('request and reply of 100 B', '1/s', ALL, { size: 100, reply: true }, 1)

for (const { what, unit, ...measurement } of [
  { what: 'bulk', unit: 'MB/s', size: 65_536 },
  { what: '100 B', unit: 'MB/s', size: 100 }
]) {
  await promise(`through noise and yamux, ${what}`, unit, TRANSPORTS, { ...measurement, stack: true }, 1)
}

for (const connections of [1, 10, 100]) {
  const streams = connections === 1 ? '' : `, ${connections} streams at once`
  await promise(
    `through noise and yamux, request and reply of 100 B${streams}`,
    '1/s',
    TRANSPORTS,
    { size: 100, reply: true, stack: true, connections },
    1
  )
}

// for the documents only
if (options.report) {
  board.chart('message-size', {
    title: 'One way, by the size of a message',
    x: { label: 'size of a message (bytes)', log: true },
    y: { label: 'received (MB/s)', log: true },
    lines: await grow([64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576], size => ({ size }))
  })
  board.chart('connections', {
    title: 'Request and reply of 100 B, by the number of connections',
    x: { label: 'connections, each with one message under way', log: true },
    y: { label: 'replies a second, in all' },
    lines: await grow([1, 10, 100, 1_000, 5_000], connections => ({ size: 100, reply: true, connections }))
  })
  board.chart('streams', {
    title: 'Request and reply of 100 B through noise and yamux, by the number of streams',
    x: { label: 'streams of one connection, each with one message under way', log: true },
    y: { label: 'replies a second, in all' },
    lines: await grow(
      [1, 3, 10, 30, 100, 300],
      connections => ({ size: 100, reply: true, stack: true, connections }),
      TRANSPORTS
    )
  })
}

await board.finish()

async function promise (
  what: string,
  unit: string,
  subjects: Subject[],
  measurement: Measurement,
  thanTCP: number,
  thanNet?: number,
  wanted?: number
): Promise<void> {
  await board.part(what, async () => {
    await using pairs = await startPairs(subjects, measurement)
    const promise = (results: Results): Promised => promised(results, thanTCP, thanNet, wanted)
    const results = await pairs.measure(rounds, board.untilSure(promise))
    board.add({ what, unit, results, promise: promise(results) })
  })
}

async function grow (
  steps: number[],
  toMeasurement: (step: number) => Measurement,
  subjects = ALL
): Promise<ChartSpec['lines']> {
  const lines: ChartSpec['lines'] = Object.fromEntries(subjects.map(subject => [subject, []]))

  for (const x of steps) {
    await using pairs = await startPairs(subjects, toMeasurement(x))
    const results = await pairs.measure(7)
    subjects.forEach(subject => lines[subject].push({ x, y: results[subject].median }))
  }

  return lines
}

function promised (results: Results, thanTCP: number, thanNet?: number, wanted?: number): Promised {
  const text = `${thanTCP}x @libp2p/tcp${wanted == null ? '' : `, ${wanted}x is wanted`}`
  const promises = [atLeast(ratio(results.ours, results['@libp2p/tcp']), thanTCP, text)]

  if (thanNet != null) {
    promises.push(atLeast(ratio(results.ours, results.net), thanNet, `${thanNet}x net`))
  }

  return { text: promises.map(({ text }) => text).join(', '), kept: promises.every(({ kept }) => kept) }
}
