import http from 'node:http'
import { pEvent } from 'p-event'
import { atMost } from '../lib/promise.ts'
import type { HelperProcess } from './process.ts'
import type { Scoreboard } from '../lib/scoreboard.ts'
import type { IncomingMessage } from 'node:http'

const REQUESTS = 100

/**
 * As many windows follow the page
 */
const READERS = 5

/**
 * How long they are watched, in s
 */
const WATCH = 8

/**
 * The status page with as many peers as there are now. Without readers the CPU of the helper
 * is `quiet`, in % of a core.
 */
export async function watchPage (
  board: Scoreboard,
  helper: HelperProcess,
  peers: number,
  quiet: number
): Promise<void> {
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

  const readers = await Promise.all(Array.from({ length: READERS }, async () => get(helper.pagePort, '/events')))
  let bytes = 0
  readers.forEach(reader => reader.on('data', chunk => { bytes += chunk.length }))
  const before = helper.cpu()
  await new Promise(resolve => setTimeout(resolve, 1_000 * WATCH))
  const percent = 100 * (helper.cpu() - before) / WATCH - quiet
  readers.forEach(reader => { reader.destroy() })
  board.add({
    what: `${peers} peers: CPU of updates for ${READERS} readers, beyond the steady state`,
    unit: '% of a core',
    results: { helper: percent },
    promise: atMost(percent, 1, '1 %')
  })
  board.add({
    what: `${peers} peers: updates for each reader`,
    unit: 'kB/s',
    results: { helper: bytes / READERS / WATCH / 1_000 }
  })
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
