/**
 * What it costs TCP that a port takes WebSockets too, and WebSockets on that port against
 * `@libp2p/websockets` on a port of its own: `npm run bench:websockets`, with `-- --check
 * --report --rounds 101 --part 'silent sockets' --json FILE` as wanted
 */
import { startPairs } from '../connection/pairs.ts'
import { Child } from '../lib/child.ts'
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { atLeast, atMost } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { ratio, sideBySide } from '../lib/side-by-side.ts'
import type { StopQuestion } from './stop.ts'
import type { Question } from './subject.ts'
import type { Subject } from '../connection/ends.ts'
import type { Measurement } from '../connection/pairs.ts'
import type { Promised } from '../lib/promise.ts'
import type { Sample } from '../lib/side-by-side.ts'

const SILENT = 5_000

/**
 * Many short turns, of some milliseconds each: what is to be seen is a few percent, and from one
 * tenth of a second to the next the machine differs by more
 */
const ACCEPT_ROUNDS = 300

const options = benchOptions()
const rounds = options.rounds ?? (options.report ? 63 : 31)
const board = new Scoreboard(
  'websockets',
  'One port for TCP and WebSockets',
  options,
  Object.fromEntries(['@libp2p/websockets', 'ws', 'libp2p'].map(name => [name, packageVersion(name)]))
)

await board.part('accepting', accepting)

for (const { what, ...measurement } of [
  { what: 'TCP, one way, 64 KiB', size: 65_536 },
  { what: 'TCP, one way, 100 B', size: 100 },
  { what: 'TCP through noise and yamux, bulk', size: 65_536, stack: true }
]) {
  await compare(what, 'MB/s', ['shared', 'ours'], measurement, 'the port without WebSockets')
}

// `least` is less than is wanted; docs/benchmarks.md explains why
for (const { what, unit = 'MB/s', least, ...measurement } of [
  { what: 'WebSocket, one way, 64 KiB', size: 65_536 },
  { what: 'WebSocket, the other way, 64 KiB', size: 65_536, back: true },
  { what: 'WebSocket, one way, 100 B', size: 100, least: 0.85 },
  { what: 'WebSocket, the other way, 100 B', size: 100, back: true },
  { what: 'WebSocket, request and reply of 100 B', unit: '1/s', size: 100, reply: true },
  { what: 'WebSocket, request and reply of 64 KiB', unit: '1/s', size: 65_536, reply: true },
  { what: 'WebSocket through noise and yamux, bulk', size: 65_536, stack: true },
  { what: 'WebSocket through noise and yamux, 100 B', size: 100, stack: true }
]) {
  await compare(what, unit, ['ours by ws', '@libp2p/websockets'], measurement, '@libp2p/websockets', least)
}

await board.part('silent sockets', silence)
await board.part('stop', stopping)
await board.finish()

async function compare (
  what: string,
  unit: string,
  subjects: [Subject, Subject],
  measurement: Measurement,
  reference: string,
  least = 1
): Promise<void> {
  await board.part(what, async () => {
    await using pairs = await startPairs(subjects, measurement)
    const [ours, other] = subjects
    const promise = (results: Record<Subject, Sample>): Promised =>
      atLeast(ratio(results[ours], results[other]), least, `${least}x ${reference}${least < 1 ? ', 1x is wanted' : ''}`)
    const results = await pairs.measure(rounds, board.untilSure(promise))
    board.add({ what, unit, results, promise: promise(results) })
  })
}

/**
 * Connections that are answered, a second, and how long an answer takes
 */
async function accepting (): Promise<void> {
  const [shared, plain, client] = [start(), start(), start()]
  const ports = {
    shared: await ask(shared, { do: 'listen', webSockets: true }),
    ours: await ask(plain, { do: 'listen', webSockets: false })
  }

  try {
    const rates = await sideBySide(ACCEPT_ROUNDS, {
      shared: async () => ask(client, { do: 'open', port: ports.shared, count: 60, atOnce: 20 }),
      ours: async () => ask(client, { do: 'open', port: ports.ours, count: 60, atOnce: 20 })
    })
    board.add({
      what: 'TCP, connections accepted and answered',
      unit: '1/s',
      results: rates,
      promise: atLeast(ratio(rates.shared, rates.ours), 0.97, '0.97x the port without WebSockets')
    })
    const times = await sideBySide(ACCEPT_ROUNDS, {
      shared: async () => ask(client, { do: 'latency', port: ports.shared, count: 30 }),
      ours: async () => ask(client, { do: 'latency', port: ports.ours, count: 30 })
    })
    board.add({
      what: 'TCP, from the first bytes to their answer',
      unit: 'us',
      results: times,
      promise: atMost(ratio(times.shared, times.ours), 1.03, '1.03x the port without WebSockets')
    })
  } finally {
    await Promise.all([shared, plain, client].map(async child => child.stop()))
  }
}

/**
 * Connections that never say anything, and honest ones meanwhile
 */
async function silence (): Promise<void> {
  const [server, client, honest] = [start(), start(), start()]

  try {
    const port = await ask(server, { do: 'listen', webSockets: true })
    const alone = await ask(honest, { do: 'latency', port, count: 500 })
    const before = await ask(server, { do: 'memory' })
    const open = await ask(client, { do: 'silence', port, count: SILENT })
    const during = await ask(server, { do: 'memory' })
    const answered = await ask(honest, { do: 'latency', port, count: 500 })
    const longest = await ask(client, { do: 'end' })
    add(`${SILENT} silent connections, the longest life of one`, 's', longest / 1_000, value => atMost(value, 5, '5 s'))
    // where it took longer than 5 s to open them, some have been reset
    add(`memory of each of ${open}`, 'kB', (during - before) / open / 1_000, value => atMost(value, 5, '5 kB'))
    add('answer to an honest connection before', 'us', alone)
    add('answer to an honest connection meanwhile', 'us', answered)
  } finally {
    await Promise.all([server, client, honest].map(async child => child.stop()))
  }
}

/**
 * A node with WebSockets that are silent, half open and busy stops at once. (One with `@libp2p/websockets` takes more
 * than 20 s, so it is left out.)
 */
async function stopping (): Promise<void> {
  const [node, peers] = [0, 1].map(() => new Child(new URL('./stop.js', import.meta.url)))

  try {
    const address = await node.ask<string>({ do: 'listen' } satisfies StopQuestion)
    await peers.ask({ do: 'connect', address, count: 20 } satisfies StopQuestion)
    const time = await node.ask<number>({ do: 'stop' } satisfies StopQuestion)
    add(
      'stop with 20 WebSockets that are silent, 20 half open and 20 busy',
      'ms',
      time,
      value => atMost(value, 1_000, '1 s')
    )
  } finally {
    await Promise.all([node, peers].map(async child => child.stop()))
  }
}

function add (what: string, unit: string, value: number, promise?: (value: number) => Promised): void {
  board.add({ what, unit, results: { shared: value }, promise: promise?.(value) })
}

function start (): Child {
  return new Child(new URL('./subject.js', import.meta.url), [], ['--expose-gc'])
}

async function ask (child: Child, question: Question): Promise<number> {
  return child.ask<number>(question)
}
