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
import { watchAttack } from './attack.ts'
import { watchPage } from './page.ts'
import { HelperProcess } from './process.ts'
import type { Question } from './peers.ts'

/**
 * When the steady state is watched: from so long after the last peer has joined, and how long, in s
 */
const SETTLE = 3
const WATCH = 3.5

const options = benchOptions()
const STEPS = [100, ...options.report ? [500] : [], 2_000]
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
  // with all peers
  await board.part('peers', async () => {
    await watchSteps()
    await watchPage(board, helper, peers, Math.max(...STEPS))
    await watchAttack(board, helper, peers)
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
    const seconds = await peers.ask<number>(join)
    const cpuToJoin = 1_000 * (helper.cpu() - cpuBefore) / (count - joined)
    joined = count

    const isMost = count === Math.max(...STEPS)
    const { percent, resident } = await watchSteadyState()
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

/**
 * @returns CPU in % of a core, and memory in MB
 */
async function watchSteadyState (): Promise<{ percent: number, resident: number }> {
  await delay(1_000 * SETTLE)
  const before = helper.cpu()
  const start = performance.now()
  await delay(1_000 * WATCH)
  const percent = 100 * (helper.cpu() - before) / ((performance.now() - start) / 1_000)

  return { percent, resident: helper.resident() / 1e6 }
}
