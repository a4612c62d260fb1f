/* eslint-disable no-console */
import { parseArgs } from 'node:util'
import type { ParseArgsOptionsConfig } from 'node:util'

const COMMON = {
  check: { type: 'boolean', default: false },
  report: { type: 'boolean', default: false },
  json: { type: 'string' },
  rounds: { type: 'string' },
  part: { type: 'string', multiple: true, default: [] as string[] }
} as const

export interface BenchOptions {
  /**
   * Measure once more what misses a promise, and exit with 1 when it misses it again
   */
  check: boolean

  /**
   * Write the table into docs/benchmarks.md and the charts into docs/bench/
   */
  report: boolean

  /**
   * Where to write all values that were measured
   */
  json?: string

  /**
   * How often each subject is measured; every bench has its own default
   */
  rounds?: number

  /**
   * Only these parts of the bench; all of them when the list is empty
   */
  part: string[]
}

type Extra<T extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: T }>>['values']

/**
 * The flags common to all benches, and the extra ones of one bench. An unknown or
 * invalid flag ends the process with 2 and a list of the flags.
 */
export function benchOptions (): BenchOptions
export function benchOptions<T extends ParseArgsOptionsConfig> (
  extra: T
): BenchOptions & Omit<Extra<T>, keyof BenchOptions>
export function benchOptions (extra: ParseArgsOptionsConfig = {}): BenchOptions {
  try {
    const { values: { rounds, ...others } } = parseArgs({ options: { ...extra, ...COMMON } })

    if (rounds != null && !(Number.isInteger(Number(rounds)) && Number(rounds) > 0)) {
      throw new Error(`--rounds must be a whole number from 1 on, not ${rounds}`)
    }

    if (others.report === true && Array.isArray(others.part) && others.part.length > 0) {
      throw new Error('--report writes all of a section, so it does not go with --part')
    }

    return { ...others, rounds: rounds == null ? undefined : Number(rounds) } as BenchOptions
  } catch (err: any) {
    console.error(
      `${err.message}\nflags: ${Object.entries({ ...COMMON, ...extra })
        .map(([name, { type }]) => (type === 'string' ? `--${name} VALUE` : `--${name}`))
        .join(', ')}`
    )
    process.exit(2)
  }
}
