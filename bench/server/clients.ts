import { setTimeout as delay } from 'node:timers/promises'
import { counted } from '../lib/promise.ts'
import { FILES } from './idle.ts'
import { residentMemory } from './process.ts'
import { startOurs } from './subjects.ts'
import { using } from './under.ts'
import type { Under } from './under.ts'

/**
 * New connections a second
 */
const OPEN_RATE = 1_000

/**
 * The same in a burst: what two cores serve with room to spare
 */
const BURST_RATE = 2_500

/**
 * How long the memory of a burst may take to be given back, in s
 */
const PATIENCE = 60
const MIB = 1024 * 1024

/**
 * Clients that ask once and leave
 */
export async function opens ({ board, load, workers }: Under, seconds: number): Promise<void> {
  const { answered, errors, maxLatencyMs } = await using([async () => startOurs(workers)], async subject =>
    load.open(subject, OPEN_RATE, seconds)
  )

  board.add({
    what: `answered, ${OPEN_RATE} new connections a second for ${seconds} s`,
    unit: '',
    results: { ours: answered },
    promise: counted('all', answered === seconds * OPEN_RATE && errors === 0)
  })
  board.add({ what: 'the slowest answer then', unit: 'ms', results: { ours: maxLatencyMs } })
}

/**
 * What many short clients and many idle ones leave behind once they are gone
 */
export async function burst (
  { board, load }: Under, { clients, held, burstWorkers }: { clients: number, held: number, burstWorkers: number }
): Promise<void> {
  const after = Math.min(1_000, clients)

  await using([async () => startOurs(burstWorkers)], async subject => {
    const atRest = residentMemory(subject.pid)
    const short = await load.open(subject, BURST_RATE, clients / BURST_RATE)
    const programs = Math.ceil(held / FILES)
    const holders = await Promise.all(
      Array.from({ length: programs }, async () => load.hold(subject, 'tcp', Math.floor(held / programs)))
    )
    await Promise.all(holders.map(async holder => holder.stop()))
    const seconds = await secondsUntil(() => residentMemory(subject.pid) <= 1.2 * atRest + burstWorkers * 8 * MIB)
    const last = await load.open(subject, after, 1)

    board.add({
      what: `answered, ${clients} short connections to ${burstWorkers} workers`,
      unit: '',
      results: { ours: short.answered },
      promise: counted('all', short.answered === clients)
    })
    board.add({
      what: 'until their memory is given back, to 20 % and 8 MiB a worker above rest',
      unit: 's',
      results: { ours: seconds },
      promise: counted(`at most ${PATIENCE}`, seconds <= PATIENCE)
    })
    board.add({
      what: `answered of ${after} connections after that`,
      unit: '',
      results: { ours: last.answered },
      promise: counted('all', last.answered === after)
    })
  })
}

/**
 * How long it takes until the condition holds, at most a little longer than PATIENCE
 */
async function secondsUntil (condition: () => boolean): Promise<number> {
  const start = performance.now()
  const passed = (): number => (performance.now() - start) / 1_000

  while (!condition() && passed() <= PATIENCE) {
    await delay(500)
  }

  return passed()
}
