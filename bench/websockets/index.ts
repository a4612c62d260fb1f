/**
 * What it costs TCP that a port takes WebSockets too, and WebSockets on that port against
 * `@libp2p/websockets` on a port of its own: `npm run bench:websockets`, with `-- --check
 * --report --rounds 101 --json FILE` as wanted
 */
import { setTimeout as delay } from 'node:timers/promises'
import { startPairs } from '../connection/pairs.ts'
import { Child } from '../lib/child.ts'
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { atLeast, atMost } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { ratio, sideBySide } from '../lib/side-by-side.ts'
import type { Question } from './subject.ts'
import type { Subject } from '../connection/ends.ts'
import type { Measurement } from '../connection/pairs.ts'
import type { Promised } from '../lib/promise.ts'
import type { Sample } from '../lib/side-by-side.ts'

const SILENT = 5_000

const options = benchOptions()
const rounds = options.rounds ?? 51
const board = new Scoreboard(
  'websockets',
  'One port for TCP and WebSockets',
  options,
  Object.fromEntries(['@libp2p/websockets', 'ws', 'libp2p'].map(name => [name, packageVersion(name)]))
)

await accepting()

for (const { what, ...measurement } of [
  { what: 'TCP, one way, 64 KiB', size: 65_536 },
  { what: 'TCP, one way, 100 B', size: 100 },
  { what: 'TCP through noise and yamux, bulk', size: 65_536, stack: true }
]) {
  await compare(what, 'MB/s', ['shared', 'ours'], measurement, 'the port without WebSockets')
}

for (const { what, unit, ...measurement } of [
  { what: 'WebSocket, one way, 64 KiB', unit: 'MB/s', size: 65_536 },
  { what: 'WebSocket, one way, 64 KiB in 2 pieces', unit: 'MB/s', size: 65_536, pieces: 2 },
  { what: 'WebSocket, one way, 100 B', unit: 'MB/s', size: 100 },
  { what: 'WebSocket, request and reply of 100 B', unit: '1/s', size: 100, reply: true },
  { what: 'WebSocket, request and reply of 64 KiB', unit: '1/s', size: 65_536, reply: true },
  { what: 'WebSocket through noise and yamux, bulk', unit: 'MB/s', size: 65_536, stack: true },
  { what: 'WebSocket through noise and yamux, 100 B', unit: 'MB/s', size: 100, stack: true }
]) {
  await compare(what, unit, ['ours by ws', '@libp2p/websockets'], measurement, '@libp2p/websockets')
}

await silence()
await board.finish()

async function compare (
  what: string,
  unit: string,
  subjects: [Subject, Subject],
  measurement: Measurement,
  reference: string
): Promise<void> {
  await using pairs = await startPairs(subjects, measurement)
  const results = await pairs.measure(rounds)
  const [ours, other] = subjects
  board.add({ what, unit, results: pick(results, subjects), promise: atLeast(ratio(results[ours], results[other]), 1, `1x ${reference}`) })
}

function pick (results: Record<string, Sample>, subjects: string[]): Record<string, Sample> {
  return Object.fromEntries(subjects.map(subject => [subject, results[subject]]))
}

/**
 * Connections that are answered, a second, and how long an answer takes
 */
async function accepting (): Promise<void> {
  const [shared, plain, client] = [0, 1, 2].map(() => start())
  const ports = {
    shared: await ask(shared, { do: 'listen', webSockets: true }),
    ours: await ask(plain, { do: 'listen', webSockets: false })
  }

  try {
    const rates = await sideBySide(rounds, {
      shared: async () => ask(client, { do: 'open', port: ports.shared, count: 300, atOnce: 30 }),
      ours: async () => ask(client, { do: 'open', port: ports.ours, count: 300, atOnce: 30 })
    })
    board.add({
      what: 'TCP, connections accepted and answered',
      unit: '1/s',
      results: rates,
      promise: atLeast(ratio(rates.shared, rates.ours), 0.97, '0.97x the port without WebSockets')
    })
    const times = await sideBySide(rounds, {
      shared: async () => ask(client, { do: 'latency', port: ports.shared, count: 100 }),
      ours: async () => ask(client, { do: 'latency', port: ports.ours, count: 100 })
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

async function silence (): Promise<void> {
  const [server, client] = [start(), start()]
  const port = await ask(server, { do: 'listen', webSockets: true })

  try {
    await ask(client, { do: 'latency', port, count: 200 })
    const before = await ask(server, { do: 'memory' })
    const gone = ask(client, { do: 'silence', port, count: SILENT })
    // all are there by now, and none has been silent for 5 s
    await delay(4_000)
    const during = await ask(server, { do: 'memory' })
    const honest = start()
    const answered = await ask(honest, { do: 'latency', port, count: 200 })
    await honest.stop()
    add(`${SILENT} silent connections, until all are gone`, 's', await gone / 1_000, value => atMost(value, 7, '7 s'))
    add('memory of each', 'kB', (during - before) / SILENT / 1_000, value => atMost(value, 5, '5 kB'))
    add('answer to an honest connection meanwhile', 'us', answered)
  } finally {
    await Promise.all([server, client].map(async child => child.stop()))
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
