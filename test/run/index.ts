/* eslint-disable no-console */
/**
 * Runs all tests, in several processes side by side: most of them wait for the
 * timers of a NAT most of the time. `--full` runs the long tests in full, `--jobs`
 * says how many processes run at a time, and arguments are the groups to run, like
 * `units`, `nat` or `nat/matrix`. A group that fails beside others runs once more
 * alone. See docs/testing.md.
 */
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { allGroups, selectGroups } from './groups.ts'
import { runMocha } from './mocha.ts'
import type { Group } from './groups.ts'
import type { Result } from './result.ts'

/**
 * How many processes run at a time for each core
 */
const JOBS_PER_CORE = 3

/**
 * When more groups than this have failed, it was not for want of CPU time
 */
const MAX_REPEATS = 4

/**
 * No group takes that long, in ms
 */
const GROUP_TIMEOUT = 1_800_000

const { values: { full, jobs }, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean', default: process.env.FULL === 'true' },
    jobs: { type: 'string', default: String(JOBS_PER_CORE * os.availableParallelism()) }
  }
})
// peers in other languages have to be built first: scripts/test-interop
const names = positionals.length === 0 ? ['units', 'nat', 'examples', 'packaging'] : positionals
const groups = selectGroups(allGroups(), names)

if (groups.length === 0 || !(Number(jobs) > 0)) {
  console.error(`usage: --jobs must be above 0, and a group one of ${allGroups().map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

const env = {
  ...process.env,
  // most of the CPU time of a laboratory is the start of its nodes
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../../node_modules/.cache/node-compile', import.meta.url)),
  ...(full ? { FULL: 'true' } : {})
}
const started = performance.now()
const seconds = (since: number): string => `${Math.round((performance.now() - since) / 1_000)} s`
const results = new Map<Group, Result>()
const waiting = [...groups]
const failing = (): Group[] => groups.filter(group => results.get(group)?.failed !== 0)

async function work (): Promise<void> {
  for (let group = waiting.shift(); group != null; group = waiting.shift()) {
    await run(group)
  }
}

async function run (group: Group): Promise<void> {
  const begin = performance.now()
  const { output, ...result } = await runMocha(group, env, AbortSignal.timeout(GROUP_TIMEOUT))
  results.set(group, result)
  console.info(
    `\n== ${group.name}: ${result.passed} passed, ${result.failed} failed, ${seconds(begin)}\n${output.trimEnd()}`
  )
}

await Promise.all(Array.from({ length: Math.min(Number(jobs), groups.length) }, work))

// a network of a laboratory has its own times, and is late where others take the CPU
const repeats = Number(jobs) > 1 && groups.length > 1 && failing().length <= MAX_REPEATS ? failing() : []

for (const group of repeats) {
  const { failures } = results.get(group) ?? {}
  console.info(`\n== ${group.name} failed beside other groups, and runs once more alone\n${failures}`)
  await run(group)
}

for (const group of failing()) {
  console.info(`\n== failures of ${group.name}\n${results.get(group)?.failures}`)
}

const repaired = repeats.filter(group => results.get(group)?.failed === 0)
const sum = (key: 'passed' | 'failed' | 'skipped'): number =>
  [...results.values()].reduce((total, result) => total + result[key], 0)

if (repaired.length > 0) {
  console.info(`\nPassed alone, not beside others: ${repaired.map(({ name }) => name).join(', ')}`)
}

console.info(
  `\n${results.size} groups in ${seconds(started)}${sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : ''}`
)
console.info(`${sum('passed')} passed, ${sum('failed')} failed`)
process.exitCode = sum('failed') > 0 ? 1 : 0
