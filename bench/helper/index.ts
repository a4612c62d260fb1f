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

const STEPS = [100, 500, 2_000]

/**
 * By then the helper has collected what the handshakes left in its memory, in s: 4 s after the last one, and it looks
 * every second
 */
const SETTLE = 5.7

/**
 * When the steady state is watched, in s after the last peer has joined: with few peers before that, with most of
 * them after it
 */
const WATCH = { few: { from: 0.7, seconds: 3 }, most: { from: SETTLE, seconds: 4 } }

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
    const { percent, resident } = await watchSteadyState(isMost ? WATCH.most : WATCH.few)
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
      await watchPage(board, helper, count)
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

/**
 * @returns CPU in % of a core, and memory in MB
 */
async function watchSteadyState (
  { from, seconds }: { from: number, seconds: number }
): Promise<{ percent: number, resident: number }> {
  await delay(1_000 * from)
  const before = helper.cpu()
  const start = performance.now()
  await delay(1_000 * seconds)
  const percent = 100 * (helper.cpu() - before) / ((performance.now() - start) / 1_000)
  await delay(1_000 * Math.max(0, SETTLE - from - seconds))

  return { percent, resident: helper.resident() / 1e6 }
}
