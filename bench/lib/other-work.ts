import os from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * More than this many cores that other programs keep busy, and nothing timed is promised:
 * even ratios of subjects that take turns come out wrong then
 */
export const MAX_OTHER_WORK = 0.25

/**
 * How long to watch, and how long to wait for a quiet machine, in ms
 */
const WATCH = 500
const PATIENCE = 10_000

/**
 * How many cores are busy while this program and its children do nothing. The load average
 * of the system would count what the bench itself has done a minute ago.
 */
export async function otherWork (): Promise<number> {
  const before = busyTime()
  const start = performance.now()
  await delay(WATCH)

  return (busyTime() - before) / (performance.now() - start)
}

/**
 * Wait until the machine is quiet, but not for long
 *
 * @returns how many cores are busy
 */
export async function untilQuiet (): Promise<number> {
  const start = performance.now()

  while (true) {
    const busy = await otherWork()

    if (busy <= MAX_OTHER_WORK || performance.now() - start > PATIENCE) {
      return busy
    }
  }
}

/**
 * The time that all cores were busy since the system started, in ms
 */
function busyTime (): number {
  return os.cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0)
}
