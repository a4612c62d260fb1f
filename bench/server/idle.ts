import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { atMost, counted } from '../lib/promise.ts'
import { ownMemory, residentMemory } from './process.ts'
import { startCoturnServer, startOurs } from './subjects.ts'
import { using } from './under.ts'
import type { Transport } from './load.ts'
import type { Subject } from './subjects.ts'
import type { Under } from './under.ts'

/**
 * What one process may open, less what it needs itself
 */
export const FILES = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })) - 200

/**
 * Of an idle connection without TLS, in bytes
 */
const MAX_MEMORY = 4_000

/**
 * How long connections are idle before their memory is measured, in ms: what the burst of
 * new ones has left behind is not theirs
 */
const SETTLE = 3_000

interface Held {
  /**
   * Of one connection, in bytes
   */
  memory: number

  /**
   * Of all processes, in bytes, with pages that they share
   */
  resident: number
  answered: number
}

/**
 * The memory of an idle connection that was answered once, and whether all are
 * answered again
 */
export async function idle (under: Under, transport: Transport, connections: number): Promise<void> {
  const { board } = under
  const suffix = transport === 'tls' ? ' over TLS' : ''
  // the memory of one does not change with what the other does
  const [ours, coturn] = await Promise.all([
    holdOurs(under, transport, connections),
    // coturn needs two descriptors a connection
    using([startCoturnServer], async subject =>
      hold(under, subject, transport, Math.min(connections, Math.floor(FILES / 2)))
    )
  ])

  board.add({
    what: `memory of one of ${connections} idle connections${suffix}`,
    unit: 'bytes',
    results: { ours: ours.memory, coturn: coturn.memory },
    promise: transport === 'tls'
      ? { ...atMost(ours.memory / coturn.memory, 1, 'coturn, half is wanted'), isCounted: true }
      : counted(`at most ${MAX_MEMORY}`, ours.memory <= MAX_MEMORY)
  })
  board.add({
    what: `of them answered again${suffix}`,
    unit: '',
    results: { ours: ours.answered },
    promise: counted('all', ours.answered === connections)
  })
}

/**
 * Far more connections than a server has by day, by as few workers as may hold them
 */
export async function many (under: Under, connections: number): Promise<void> {
  const { board } = under
  const workers = workersFor(under, connections)
  const { answered, memory, resident } = await holdOurs(under, 'tcp', connections)

  board.add({
    what: `answered again, of ${connections} idle connections to ${workers} workers`,
    unit: '',
    results: { ours: answered },
    promise: counted('all', answered === connections)
  })
  board.add({ what: 'memory of each then', unit: 'bytes', results: { ours: memory } })
  board.add({ what: 'resident memory of all workers then', unit: 'MB', results: { ours: resident / 1e6 } })
}

/**
 * Where one process may not open so many files, more workers hold the connections
 */
function workersFor ({ workers }: Under, connections: number): number {
  return Math.max(workers, connections > FILES ? Math.ceil(connections / FILES * 1.1) : 0)
}

async function holdOurs (under: Under, transport: Transport, connections: number): Promise<Held> {
  return using([async () => startOurs(workersFor(under, connections))], async subject =>
    hold(under, subject, transport, connections)
  )
}

async function hold ({ load }: Under, subject: Subject, transport: Transport, connections: number): Promise<Held> {
  // the first ones warm it up: what they leave behind does not count
  const warm = await load.hold(subject, transport, 500)
  await warm.stop()
  const before = ownMemory(subject.pid)
  const programs = Math.ceil(connections / FILES)
  const holders = await Promise.all(
    Array.from({ length: programs }, async (_, i) =>
      load.hold(subject, transport, Math.floor(connections / programs) + (i < connections % programs ? 1 : 0))
    )
  )
  await delay(SETTLE)
  const memory = (ownMemory(subject.pid) - before) / connections
  const again = await Promise.all(holders.map(async holder => holder.ask()))
  const resident = residentMemory(subject.pid)
  await Promise.all(holders.map(async holder => holder.stop()))

  return { memory, resident, answered: again.reduce((sum, { answered }) => sum + answered, 0) }
}
