/**
 * What peers cost a helper: `npm run bench:helper`, with `-- --check --report --json FILE` as
 * wanted
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Child } from '../lib/child.ts'
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { atMost } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { toSample } from '../lib/side-by-side.ts'
import { watchPage } from './page.ts'
import { HelperProcess } from './process.ts'
import type { Question } from './peers.ts'

const STEPS = [100, 500, 2_000]

/**
 * By then the helper has collected what the handshakes left in its memory, in s
 */
const SETTLE = 8

/**
 * How long the steady state is watched, and members poll, in s
 */
const WATCH = 8
const POLL = 8

/**
 * Members that poll: a tenth of a second without an answer is one of many polls
 */
const POLLERS = 10
const ATTACKS_PER_SECOND = 100

const options = benchOptions()
const board = new Scoreboard(
  'helper',
  'A helper and its peers',
  options,
  Object.fromEntries(['@libp2p/noise', '@libp2p/yamux', 'libp2p'].map(name => [name, packageVersion(name)]))
)

const helper = await HelperProcess.start(2 * Math.max(...STEPS))
const peers = new Child(new URL('./peers.js', import.meta.url))
const memory: Array<{ x: number, y: number }> = []
const load: Array<{ x: number, y: number }> = []

try {
  // the attack is one beside all peers
  await board.part('peers', async () => {
    await watchSteps()
    await watchAttack()
  })
} finally {
  await peers.stop()
  await helper.stop()
}

board.chart('helper-memory', {
  title: 'Resident memory of a helper',
  x: { label: 'connected peers' },
  y: { label: 'MB' },
  lines: { helper: memory }
})
board.chart('helper-load', {
  title: 'CPU of a helper in the steady state',
  x: { label: 'connected peers' },
  y: { label: '% of a core' },
  lines: { helper: load }
})
await board.finish()

async function watchSteps (): Promise<void> {
  let joined = 0

  for (const count of STEPS) {
    const cpuBefore = helper.cpu()
    const join: Question = { do: 'join', port: helper.port, from: joined, count: count - joined, follow: true }
    const seconds = await ask<number>(join)
    const cpuToJoin = 1_000 * (helper.cpu() - cpuBefore) / (count - joined)
    joined = count

    await delay(1_000 * SETTLE)
    const before = helper.cpu()
    await delay(1_000 * WATCH)
    const percent = 100 * (helper.cpu() - before) / WATCH
    const resident = helper.resident() / 1e6
    const isMost = count === Math.max(...STEPS)
    memory.push({ x: count, y: resident })
    load.push({ x: count, y: percent })

    const what = `${count} peers: join, reserve, register and read the board`
    board.add({ what, unit: 's', results: { helper: seconds } })
    board.add({ what: `${count} peers: CPU of the helper for each`, unit: 'ms', results: { helper: cpuToJoin } })
    board.add({
      what: `${count} peers: CPU in the steady state`,
      unit: '% of a core',
      results: { helper: percent },
      ...isMost && { promise: atMost(percent, 25, '25 %') }
    })
    board.add({ what: `${count} peers: resident memory`, unit: 'MB', results: { helper: resident } })

    if (isMost) {
      await watchPage(board, helper, count, percent)
    }
  }

  // what the process needs anyway is not the peers'
  const [least, most] = [memory[0], memory[memory.length - 1]]
  const perPeer = 1_000 * (most.y - least.y) / (most.x - least.x)
  board.add({
    what: `resident memory of each peer beyond the first ${least.x}`,
    unit: 'kB',
    results: { helper: perPeer },
    promise: atMost(perPeer, 150, '150 kB')
  })
}

async function watchAttack (): Promise<void> {
  const attackers = new Child(new URL('./peers.js', import.meta.url))
  const member = new Child(new URL('./peers.js', import.meta.url))

  try {
    await member.ask({ do: 'join', port: helper.port, from: 100_000, count: POLLERS, follow: false } satisfies Question)
    const quiet = await member.ask<number[]>({ do: 'poll', seconds: POLL } satisfies Question)
    const [attempts, attacked, waits] = await Promise.all([
      attackers.ask<number>({
        do: 'attack', port: helper.port, stunPort: helper.stunPort, seconds: POLL, perSecond: ATTACKS_PER_SECOND
      } satisfies Question),
      member.ask<number[]>({ do: 'poll', seconds: POLL } satisfies Question),
      ask<number[]>({ do: 'come', port: helper.port, seconds: POLL })
    ])
    const wait = toSample(waits)

    board.add({ what: 'attempts of strangers a second', unit: '', results: { helper: attempts / POLL } })
    board.add({ what: 'polls of members, p99, quiet', unit: 'ms', results: { helper: p99(quiet) } })
    board.add({
      what: 'polls of members, p99, under attack',
      unit: 'ms',
      results: { helper: p99(attacked) },
      promise: atMost(p99(attacked) / p99(quiet), 2, 'twice the quiet one')
    })
    board.add({
      what: 'newcomers under attack, until they have a reservation',
      unit: 'ms',
      results: { helper: wait },
      promise: atMost(wait.max, 2_000, '2 s for each')
    })
  } finally {
    await Promise.all([attackers.stop(), member.stop()])
  }
}

function p99 (times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(0.99 * times.length)]
}

async function ask<T> (question: Question): Promise<T> {
  return peers.ask<T>(question)
}
