/**
 * The cost of a dial and of an accepted connection, of ours and of `@libp2p/tcp`:
 * `npm run bench:dial`, with `-- --check --report --rounds 21 --json FILE` as wanted
 */
import { Child } from '../lib/child.ts'
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { atLeast, atMost } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { ratio, sideBySide, toSample } from '../lib/side-by-side.ts'
import type { Memory, Question } from './questions.ts'
import type { ChartSpec } from '../lib/chart.ts'
import type { Promised } from '../lib/promise.ts'
import type { Sample } from '../lib/side-by-side.ts'

type Subject = 'ours' | '@libp2p/tcp'
type Results = Record<Subject, Sample>

const SUBJECTS: Subject[] = ['ours', '@libp2p/tcp']
const DIALS = 20
const ACCEPTS = 500
const HELD = 5_000

const options = benchOptions()
const rounds = options.rounds ?? 21
const board = new Scoreboard(
  'dial',
  'Dial and accept',
  options,
  Object.fromEntries(
    ['@libp2p/tcp', '@libp2p/noise', '@libp2p/yamux', 'libp2p'].map(name => [name, packageVersion(name)])
  )
)

await board.part('dial', dial)
await board.part('accept', accept)
await board.part('memory', hold)
await board.finish()

/**
 * From `dial()` to a connection that streams can be opened on. Both nodes listen,
 * so ours dials from the port of its listener, which its peer sees.
 */
async function dial (): Promise<void> {
  await using pairs = createPairs()
  const addresses = new Map<Subject, string>()

  for (const subject of SUBJECTS) {
    addresses.set(subject, await ask<string>(pairs[subject].server, { do: 'node' }))
    await ask(pairs[subject].client, { do: 'node' })
  }

  const promise = (results: Results): Promised =>
    atMost(ratio(results.ours, results['@libp2p/tcp']), 1.05, '1.05x @libp2p/tcp')
  const results = await sideBySide(
    rounds,
    forEach(async subject =>
      ask<number>(pairs[subject].client, { do: 'dial', address: addresses.get(subject) ?? '', count: DIALS })
    ),
    board.untilSure(promise)
  )
  const reused = await ask<number>(pairs.ours.server, { do: 'ports' })

  if (reused !== 1) {
    throw new Error(`Ours was to dial from one port, and has from ${reused}`)
  }

  board.add({
    what: 'dial from the listening port: connect and upgrade',
    unit: 'ms',
    results,
    promise: promise(results)
  })
}

async function accept (): Promise<void> {
  await using pairs = createPairs()
  const ports = new Map<Subject, number>()

  for (const subject of SUBJECTS) {
    ports.set(subject, Number(await ask<string>(pairs[subject].server, { do: 'listen' })))
  }

  const promise = (results: Results): Promised =>
    atLeast(ratio(results.ours, results['@libp2p/tcp']), 1, '1x @libp2p/tcp')
  const results = await sideBySide(rounds, forEach(async subject => {
    const { client, server } = pairs[subject]
    await ask(client, { do: 'open', port: ports.get(subject) ?? 0, count: ACCEPTS })
    const time = await ask<number>(server, { do: 'accepted', count: ACCEPTS })
    await ask(client, { do: 'close' })
    await ask(server, { do: 'forget' })

    return ACCEPTS / time * 1_000
  }), board.untilSure(promise))
  board.add({
    what: 'accept',
    unit: '1/s',
    results,
    promise: promise(results)
  })
}

/**
 * The memory of one of many connections. Each number has a process of its own,
 * because freed memory is not always returned to the system.
 */
async function hold (): Promise<void> {
  const few = Math.max(3, Math.ceil(rounds / 7))

  const { resident, heap } = await memory(few, HELD)

  for (const { what, results } of [
    { what: 'the process', results: resident }, { what: 'what JavaScript holds', results: heap }
  ]) {
    board.add({
      what: `memory of one of ${HELD} connections, ${what}`,
      unit: 'bytes',
      results,
      promise: atMost(ratio(results.ours, results['@libp2p/tcp']), 1.05, '1.05x @libp2p/tcp')
    })
  }

  // for the documents only
  if (options.report) {
    const lines: ChartSpec['lines'] = { ours: [], '@libp2p/tcp': [] }

    for (const x of [1, 10, 100, 1_000, 5_000]) {
      const { resident } = await memory(3, x)
      SUBJECTS.forEach(subject => lines[subject].push({ x, y: Math.max(resident[subject].median, 0) * x / 1e6 }))
    }

    board.chart('accepted-memory', {
      title: 'Memory that accepted connections take',
      x: { label: 'connections' },
      y: { label: 'memory of the process beyond none (MB)' },
      lines
    })
  }
}

/**
 * Of each of so many connections, in bytes. Nothing is timed, so both subjects are measured at the
 * same time.
 */
async function memory (rounds: number, count: number): Promise<Record<keyof Memory, Results>> {
  const values: Record<Subject, Memory[]> = { ours: [], '@libp2p/tcp': [] }

  for (let round = 0; round < rounds; round++) {
    await using pairs = createPairs()
    await Promise.all(SUBJECTS.map(async subject => {
      values[subject].push(await memoryOfOne(pairs[subject], count))
    }))
  }

  const results = (of: keyof Memory): Results => ({
    ours: toSample(values.ours.map(value => value[of])),
    '@libp2p/tcp': toSample(values['@libp2p/tcp'].map(value => value[of]))
  })

  return { resident: results('resident'), heap: results('heap') }
}

async function memoryOfOne ({ client, server }: Pair, count: number): Promise<Memory> {
  const port = Number(await ask<string>(server, { do: 'listen' }))
  // the first connections warm the process up
  await ask(client, { do: 'open', port, count: ACCEPTS })
  await ask(server, { do: 'accepted', count: ACCEPTS })
  await ask(client, { do: 'close' })
  await ask(server, { do: 'forget' })
  const before = await ask<Memory>(server, { do: 'memory' })
  await ask(client, { do: 'open', port, count })
  await ask(server, { do: 'accepted', count })
  const after = await ask<Memory>(server, { do: 'memory' })

  return { resident: (after.resident - before.resident) / count, heap: (after.heap - before.heap) / count }
}

function forEach (measure: (subject: Subject) => Promise<number>): Record<Subject, () => Promise<number>> {
  return Object.fromEntries(SUBJECTS.map(subject => [subject, async () => measure(subject)])) as Record<
    Subject,
    () => Promise<number>
  >
}

interface Pair {
  client: Child
  server: Child
}

type Pairs = Record<Subject, Pair> & AsyncDisposable

/**
 * A client and a server for each of the subjects
 */
function createPairs (): Pairs {
  const start = (subject: Subject): Child =>
    new Child(new URL('./subject.js', import.meta.url), [subject], ['--expose-gc'])
  const pairs = Object.fromEntries(
    SUBJECTS.map(subject => [subject, { client: start(subject), server: start(subject) }])
  ) as Record<Subject, Pair>

  return {
    ...pairs,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(SUBJECTS.flatMap(subject => [pairs[subject].client.stop(), pairs[subject].server.stop()]))
    }
  }
}

async function ask<T = void> (child: Child, question: Question): Promise<T> {
  return child.ask<T>(question)
}
