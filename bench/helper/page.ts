import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { pEvent } from 'p-event'
import { atMost } from '../lib/promise.ts'
import { toSample } from '../lib/side-by-side.ts'
import type { HelperProcess } from './process.ts'
import type { Scoreboard } from '../lib/scoreboard.ts'
import type { IncomingMessage } from 'node:http'

const REQUESTS = 100

/**
 * As many windows follow the page
 */
const READERS = 5

/**
 * How often they get an update, in ms, and how many of those are watched
 */
const UPDATE_INTERVAL = 2_000
const UPDATES = 3

/**
 * How long the helper is watched between two updates, and around one: from before it begins to when all is done, in ms
 */
const BETWEEN = 1_500
const EARLY = 100
const LATE = 20

/**
 * The status page with as many peers as there are now
 */
export async function watchPage (board: Scoreboard, helper: HelperProcess, peers: number): Promise<void> {
  const first = await load(helper.pagePort)
  const loads: number[] = []

  for (let i = 0; i < REQUESTS; i++) {
    loads.push((await load(helper.pagePort)).firstByte)
  }

  const slowest = Math.max(...loads)
  const size = first.bytes / 1_000
  board.add({
    what: `${peers} peers: first byte of the status page, the first time`,
    unit: 'ms',
    results: { helper: first.firstByte },
    promise: atMost(first.firstByte, 50, '50 ms')
  })
  board.add({
    what: `${peers} peers: the same, slowest of ${REQUESTS}`,
    unit: 'ms',
    results: { helper: slowest },
    promise: atMost(slowest, 50, '50 ms')
  })
  board.add({
    what: `${peers} peers: size of the status page, with names`,
    unit: 'kB',
    results: { helper: size },
    promise: atMost(size, 60, '60 kB')
  })

  const { cost, bytes } = await watchUpdates(helper)
  const percent = toSample(cost.map(ms => 100 * ms / UPDATE_INTERVAL))
  board.add({
    what: `${peers} peers: CPU of an update for ${READERS} readers`,
    unit: 'ms',
    results: { helper: toSample(cost) }
  })
  board.add({
    what: `${peers} peers: CPU of updates for ${READERS} readers, one every 2 s`,
    unit: '% of a core',
    results: { helper: percent },
    promise: atMost(percent.median, 1, '1 %')
  })
  board.add({ what: `${peers} peers: updates for each reader`, unit: 'kB/s', results: { helper: bytes / 1_000 } })
}

/**
 * The CPU of the helper around an update, less what it uses as long between two updates: what 2 000 peers do in 2 s
 * differs by more than an update costs
 *
 * @returns `cost` in ms for each update, `bytes` a second for each reader
 */
async function watchUpdates (helper: HelperProcess): Promise<{ cost: number[], bytes: number }> {
  const readers = await Promise.all(Array.from({ length: READERS }, async () => get(helper.pagePort, '/events')))
  const cost: number[] = []
  let bytes = 0

  try {
    // what each gets first is the whole page
    await Promise.all(readers.map(async reader => pEvent(reader, 'data')))
    await nextUpdate(readers)
    readers.forEach(reader => reader.on('data', chunk => { bytes += chunk.length }))

    for (let i = 0; i < UPDATES; i++) {
      const between = await cpuDuring(helper, delay(BETWEEN))
      await delay(UPDATE_INTERVAL - BETWEEN - EARLY - LATE)
      const around = await cpuDuring(helper, nextUpdate(readers))
      cost.push(around.cpu - between.cpu * around.elapsed / between.elapsed)
    }
  } finally {
    readers.forEach(reader => { reader.destroy() })
  }

  return { cost, bytes: 1_000 * bytes / READERS / UPDATES / UPDATE_INTERVAL }
}

/**
 * Until all readers have an update, and the helper has done with it
 */
async function nextUpdate (readers: IncomingMessage[]): Promise<void> {
  await Promise.all(readers.map(async reader => pEvent(reader, 'data')))
  await delay(LATE)
}

/**
 * In ms
 */
async function cpuDuring (helper: HelperProcess, wait: Promise<void>): Promise<{ cpu: number, elapsed: number }> {
  const before = helper.cpu()
  const start = performance.now()
  await wait

  return { cpu: 1_000 * (helper.cpu() - before), elapsed: performance.now() - start }
}

async function load (port: number): Promise<{ firstByte: number, bytes: number }> {
  const start = performance.now()
  const response = await get(port, '/')
  const firstByte = performance.now() - start
  let bytes = 0

  for await (const chunk of response) {
    bytes += chunk.length
  }

  return { firstByte, bytes }
}

async function get (port: number, path: string): Promise<IncomingMessage> {
  return pEvent<'response', IncomingMessage>(http.get({ host: '127.0.0.1', port, path, agent: false }), 'response')
}
