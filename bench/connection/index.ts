/**
 * The throughput of our connections, of those of `@libp2p/tcp`, and of sockets of
 * Node: `npm run bench:connection`, with `-- --check --report --rounds 101 --json
 * FILE` as wanted
 */
import { Child } from '../lib/child.ts'
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { atLeast } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { ratio, sideBySide } from '../lib/side-by-side.ts'
import type { Subject } from './ends.ts'
import type { Done, Question } from './questions.ts'
import type { ChartSpec } from '../lib/chart.ts'
import type { Promised } from '../lib/promise.ts'
import type { Sample } from '../lib/side-by-side.ts'

type Results = Record<Subject, Sample>

interface Measurement {
  size: number

  /**
   * @default 1
   */
  pieces?: number

  /**
   * With `stack`, the streams of one connection
   *
   * @default 1
   */
  connections?: number

  /**
   * Replies a second, in place of bytes a second
   *
   * @default false
   */
  reply?: boolean

  /**
   * Streams of yamux through noise
   *
   * @default false
   */
  stack?: boolean
}

/**
 * The length of a subject's turn, in ms: short, so that other load of the machine
 * affects all subjects alike
 */
const TIME = 60

const options = benchOptions()
const rounds = options.rounds ?? 101
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

for (const { what, thanTCP, thanNet, ...measurement } of [
  { what: '64 KiB whole', size: 65_536, thanTCP: 1, thanNet: 0.9 },
  { what: '64 KiB in 64 pieces', size: 65_536, pieces: 64, thanTCP: 5 },
  { what: '4 KiB whole', size: 4_096, thanTCP: 1.5, thanNet: 0.9 },
  { what: '4 KiB in 2 pieces', size: 4_096, pieces: 2, thanTCP: 2 },
  { what: '100 B', size: 100, thanTCP: 1, thanNet: 0.9 }
]) {
  await promise(`one way, ${what}`, 'MB/s', ALL, measurement, thanTCP, thanNet)
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
}

await board.finish()

async function promise (
  what: string,
  unit: string,
  subjects: Subject[],
  measurement: Measurement,
  thanTCP: number,
  thanNet?: number
): Promise<void> {
  await board.part(what, async () => {
    await using pairs = await startPairs(subjects, measurement)
    const results = await pairs.measure(rounds)
    board.add({ what, unit, results, promise: promised(results, thanTCP, thanNet) })
  })
}

async function grow (steps: number[], toMeasurement: (step: number) => Measurement): Promise<ChartSpec['lines']> {
  const lines: ChartSpec['lines'] = Object.fromEntries(ALL.map(subject => [subject, []]))

  for (const x of steps) {
    await using pairs = await startPairs(ALL, toMeasurement(x))
    const results = await pairs.measure(7)
    ALL.forEach(subject => lines[subject].push({ x, y: results[subject].median }))
  }

  return lines
}

function promised (results: Results, thanTCP: number, thanNet?: number): Promised {
  const promises = [atLeast(ratio(results.ours, results['@libp2p/tcp']), thanTCP, `${thanTCP}x @libp2p/tcp`)]

  if (thanNet != null) {
    promises.push(atLeast(ratio(results.ours, results.net), thanNet, `${thanNet}x net`))
  }

  return { text: promises.map(({ text }) => text).join(', '), kept: promises.every(({ kept }) => kept) }
}

interface Pairs extends AsyncDisposable {
  measure (rounds: number): Promise<Results>
}

/**
 * A client and a server for each of the subjects
 */
async function startPairs (subjects: Subject[], measurement: Measurement): Promise<Pairs> {
  const { size, pieces = 1, connections = 1, reply = false, stack = false } = measurement
  const pairs = new Map<Subject, { client: Child, server: Child }>()

  for (const subject of subjects) {
    const [client, server] = [0, 1].map(
      () => new Child(new URL('./subject.js', import.meta.url), [subject, stack ? 'stack' : 'bare'])
    )
    pairs.set(subject, { client, server })
    const address = await ask<string>(server, { do: 'listen', reply, size })
    await ask(client, { do: 'connect', address, connections, size, pieces })
  }

  return {
    measure: async rounds => sideBySide(rounds, Object.fromEntries([...pairs].map(([subject, { client, server }]) => [
      subject,
      async () => reply ? requestReply(client) : oneWay(client, server)
    ])) as Record<Subject, () => Promise<number>>),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...pairs.values()].flatMap(({ client, server }) => [client.stop(), server.stop()]))
    }
  }
}

/**
 * @returns MB a second, from the first byte sent to the last byte received
 */
async function oneWay (client: Child, server: Child): Promise<number> {
  await ask(server, { do: 'begin' })

  const { begin, amount } = await ask<Done>(client, { do: 'send', time: TIME })
  const { end } = await ask<Done>(server, { do: 'receive', length: amount })

  return amount / (end - begin) / 1_000
}

/**
 * @returns replies a second
 */
async function requestReply (client: Child): Promise<number> {
  const { begin, end, amount } = await ask<Done>(client, { do: 'request', time: TIME })

  return amount / (end - begin) * 1_000
}

async function ask<T = void> (child: Child, question: Question): Promise<T> {
  return child.ask<T>(question)
}
