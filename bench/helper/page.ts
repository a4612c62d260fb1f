import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { pEvent } from 'p-event'
import { atMost } from '../lib/promise.ts'
import { median } from '../lib/side-by-side.ts'
import type { HelperProcess } from './process.ts'
import type { Scoreboard } from '../lib/scoreboard.ts'
import type { IncomingMessage } from 'node:http'

const REQUESTS = 100

/**
 * As many windows follow the page: ten times as many as the promise is about, since what the peers do differs by more
 * from one moment to the next than the updates for a few readers cost
 */
const READERS = 50

/**
 * How long the helper is watched with readers, and as long without, in turn, in ms; and how often
 */
const WATCH = 4_000
const TURNS = 3

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

  const { without, with: following, bytes } = await watchUpdates(helper)
  const more = median(following.map((percent, turn) => percent - without[turn]))
  board.add({
    what: `${peers} peers: CPU of updates for ${READERS} readers, beyond the steady state`,
    unit: '% of a core',
    results: { helper: more },
    promise: atMost(more, 1, '1 %')
  })
  board.add({ what: `${peers} peers: updates for each reader`, unit: 'kB/s', results: { helper: bytes / 1_000 } })
}

/**
 * @returns the CPU of the helper in each turn, in % of a core, and the `bytes` a second for each reader
 */
async function watchUpdates (helper: HelperProcess): Promise<{ without: number[], with: number[], bytes: number }> {
  const without: number[] = []
  const following: number[] = []
  const received = { bytes: 0 }
  const count = (chunk: Buffer): void => { received.bytes += chunk.length }

  for (let turn = 0; turn < TURNS; turn++) {
    without.push(await percentDuring(helper, delay(WATCH)))
    const readers = await Promise.all(Array.from({ length: READERS }, async () => get(helper.pagePort, '/events')))

    try {
      // what each gets first is the whole page
      await Promise.all(readers.map(async reader => pEvent(reader, 'data')))
      readers.forEach(reader => reader.on('data', count))
      following.push(await percentDuring(helper, delay(WATCH)))
    } finally {
      readers.forEach(reader => { reader.destroy() })
    }
  }

  return { without, with: following, bytes: 1_000 * received.bytes / READERS / TURNS / WATCH }
}

async function percentDuring (helper: HelperProcess, wait: Promise<void>): Promise<number> {
  const before = helper.cpu()
  const start = performance.now()
  await wait

  return 100_000 * (helper.cpu() - before) / (performance.now() - start)
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
