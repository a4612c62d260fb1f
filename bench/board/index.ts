/**
 * The board of a helper with up to 100 000 registrations: `npm run bench:board`, with
 * `-- --check --report --rounds 5 --json FILE` as wanted
 */
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { Child } from '../lib/child.ts'
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { atMost } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { toSample } from '../lib/side-by-side.ts'
import type { Question, Restored } from './questions.ts'
import type { Sample } from '../lib/side-by-side.ts'

const PROGRAM = new URL('subject.js', import.meta.url)
const POLLS = 1_000
const WARM_UPS = 6

const options = benchOptions()
const COUNTS = [...options.report ? [1_000, 10_000] : [], 100_000]

/**
 * The promises are about the most registrations, the other counts are for the charts
 */
const ROUNDS = { most: 3, fewer: 1 }
const scoreboard = new Scoreboard('board', 'Board: registrations on disk and in memory, polls without news', options, {
  libp2p: packageVersion('libp2p'),
  'datastore-level': packageVersion('datastore-level')
})
const folder = await mkdtemp(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
const points = { kept: [] as Point[], fresh: [] as Point[], restore: [] as Point[] }

interface Point {
  x: number
  y: number
}

try {
  await scoreboard.part('registrations', async () => {
    for (const count of COUNTS) {
      await measure(count, path.join(folder, String(count)))
    }
  })
} finally {
  await rm(folder, { recursive: true })
}

scoreboard.chart('board-poll', {
  title: 'A poll without news: CPU time of the helper',
  x: { label: 'registrations', log: true },
  y: { label: 'ms' },
  lines: { 'on a kept stream': points.kept, 'on a stream of its own': points.fresh }
})
scoreboard.chart('board-restore', {
  title: 'The start of a helper with its board: CPU time',
  x: { label: 'registrations', log: true },
  y: { label: 'ms', log: true },
  lines: { board: points.restore }
})
await scoreboard.finish()

async function measure (count: number, store: string): Promise<void> {
  const last = count === COUNTS.at(-1)
  const rounds = options.rounds ?? (last ? ROUNDS.most : ROUNDS.fewer)
  const restored: Restored[] = []
  const kept: number[] = []
  const fresh: number[] = []
  await withChild(async filler => { await filler.ask({ do: 'fill', folder: store, count } satisfies Question) })

  for (let round = 0; round < rounds; round++) {
    await withChild(async board => {
      restored.push(await board.ask({ do: 'restore', folder: store, count } satisfies Question))
      await withChild(async peer => {
        const { addresses } = restored[round]
        await peer.ask({ do: 'connect', addresses } satisfies Question)
        // a helper runs for days: what V8 compiles in the first seconds is not part of a poll
        for (let i = 0; i < WARM_UPS; i++) {
          await cpuOfPolls(board, peer, 'kept')
        }

        kept.push(await cpuOfPolls(board, peer, 'kept'))
        fresh.push(await cpuOfPolls(board, peer, 'fresh'))
      })
    })
  }

  const durations = toSample(restored.map(({ duration }) => duration))
  const memory = toSample(restored.map(({ memory }) => memory))
  const [keptSample, freshSample] = [toSample(kept), toSample(fresh)]
  const row = (what: string, unit: string, board: Sample, limit: number, text: string): void => {
    scoreboard.add({
      what: `${what}, ${count} registrations`,
      unit,
      results: { board },
      promise: last ? atMost(board.median, limit, text) : undefined
    })
  }
  const cpu = toSample(restored.map(({ cpu }) => cpu))
  row('start, with all of them', 'ms', durations, 3_000, '3 s')
  scoreboard.add({ what: `start, CPU, ${count} registrations`, unit: 'ms', results: { board: cpu } })
  row('memory of one', 'bytes', memory, 1_200, '1.2 kB')
  row('poll on a kept stream, CPU of the helper', 'ms', keptSample, 0.5, '0.5 ms')
  scoreboard.add({
    what: `poll on a stream of its own, CPU of the helper, ${count} registrations`,
    unit: 'ms',
    results: { board: freshSample }
  })
  points.restore.push({ x: count, y: cpu.median })
  points.kept.push({ x: count, y: keptSample.median })
  points.fresh.push({ x: count, y: freshSample.median })
}

/**
 * @returns the CPU time of one poll at the helper, in ms
 */
async function cpuOfPolls (board: Child, peer: Child, stream: 'kept' | 'fresh'): Promise<number> {
  const before = await board.ask<number>({ do: 'cpu' } satisfies Question)
  await peer.ask({ do: 'poll', stream, count: POLLS } satisfies Question)

  return (await board.ask<number>({ do: 'cpu' } satisfies Question) - before) / POLLS
}

async function withChild (use: (child: Child) => Promise<void>): Promise<void> {
  const child = new Child(PROGRAM, [], ['--expose-gc'])

  try {
    await use(child)
  } finally {
    await child.stop()
  }
}
