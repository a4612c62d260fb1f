import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { pEvent } from 'p-event'
import { atMost } from '../lib/promise.ts'
import { toSample } from '../lib/side-by-side.ts'
import { askSTUN } from './ask-stun.ts'
import type { Question } from './peers.ts'
import type { HelperProcess } from './process.ts'
import type { Child } from '../lib/child.ts'
import type { Scoreboard } from '../lib/scoreboard.ts'
import type { IncomingMessage } from 'node:http'

const REQUESTS = 100

/**
 * As many windows follow the page, each from an address of its own: one address may have 8
 */
const READERS = 50

/**
 * As long as from one update to the next, in ms
 */
const WINDOW = 2_000

/**
 * In so many windows the helper is watched with readers, and in as many without before and after that. The median of
 * each counts, for V8 may collect garbage in one of them.
 */
const WINDOWS = 3

/**
 * What the helper had to do before that is done by then, in ms
 */
const CALM = 500

/**
 * How often somebody asks the STUN server, so that each update has news, in ms
 */
const NEWS_INTERVAL = 1_000

/**
 * The status page with as many peers as there are now
 */
export async function watchPage (board: Scoreboard, helper: HelperProcess, peers: Child, count: number): Promise<void> {
  const first = await load(helper.pagePort)
  const loads: number[] = []

  for (let i = 0; i < REQUESTS; i++) {
    loads.push((await load(helper.pagePort)).firstByte)
  }

  const slowest = Math.max(...loads)
  const size = first.bytes / 1_000
  board.add({
    what: `${count} peers: first byte of the status page, the first time`,
    unit: 'ms',
    results: { helper: first.firstByte },
    promise: atMost(first.firstByte, 50, '50 ms')
  })
  board.add({
    what: `${count} peers: the same, slowest of ${REQUESTS}`,
    unit: 'ms',
    results: { helper: slowest },
    promise: atMost(slowest, 50, '50 ms')
  })
  board.add({
    what: `${count} peers: size of the status page, with names`,
    unit: 'kB',
    results: { helper: size },
    promise: atMost(size, 60, '60 kB')
  })

  const { percent, bytes } = await watchUpdates(helper, peers)
  board.add({
    what: `${count} peers: CPU of updates for ${READERS} readers, one every 2 s`,
    unit: '% of a core',
    results: { helper: percent },
    promise: atMost(percent, 1, '1 %')
  })
  // they have done what they could not do meanwhile
  await peers.ask({ do: 'poll', seconds: 0 } satisfies Question)
  await delay(CALM)
  board.add({ what: `${count} peers: updates for each reader`, unit: 'kB/s', results: { helper: bytes / 1_000 } })
}

/**
 * What the helper uses more with readers than without. The peers stand still meanwhile: what they do differs by more
 * from one moment to the next than all updates cost.
 *
 * @returns `percent` of a core, and `bytes` a second for each reader
 */
async function watchUpdates (helper: HelperProcess, peers: Child): Promise<{ percent: number, bytes: number }> {
  const news = setInterval(() => { void askSTUN(helper.stunPort) }, NEWS_INTERVAL)
  const readers: IncomingMessage[] = []
  peers.pause()

  try {
    await delay(CALM)
    const without = await watchWindows(helper)
    readers.push(...await Promise.all(Array.from({ length: READERS }, async (_, i) =>
      get(helper.pagePort, '/events', `127.0.1.${1 + i}`))))
    // what each gets first is the whole page
    await Promise.all(readers.map(async reader => pEvent(reader, 'data')))
    readers.forEach(reader => { reader.resume() })
    await delay(CALM)
    const received = readers.map(() => 0)
    readers.forEach((reader, i) => reader.on('data', chunk => { received[i] += chunk.length }))
    const followed = await watchWindows(helper)

    if (received.includes(0)) {
      throw new Error('A reader of the status page got no update')
    }

    readers.splice(0).forEach(reader => { reader.destroy() })
    await delay(CALM)
    without.push(...await watchWindows(helper))

    return {
      percent: toSample(followed).median - toSample(without).median,
      bytes: 1_000 * received.reduce((sum, bytes) => sum + bytes) / READERS / WINDOWS / WINDOW
    }
  } finally {
    peers.resume()
    clearInterval(news)
    readers.forEach(reader => { reader.destroy() })
  }
}

/**
 * CPU of the helper in each window, in % of a core
 */
async function watchWindows (helper: HelperProcess): Promise<number[]> {
  const percent: number[] = []

  while (percent.length < WINDOWS) {
    const before = helper.cpu()
    const start = performance.now()
    await delay(WINDOW)
    percent.push(100_000 * (helper.cpu() - before) / (performance.now() - start))
  }

  return percent
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

async function get (port: number, path: string, localAddress?: string): Promise<IncomingMessage> {
  const request = http.get({ host: '127.0.0.1', port, path, localAddress, agent: false })

  return pEvent<'response', IncomingMessage>(request, 'response')
}
