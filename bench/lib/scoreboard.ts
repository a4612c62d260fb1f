/* eslint-disable no-console */
import { writeFile } from 'node:fs/promises'
import os from 'node:os'
import { writeDocuments } from './documents.ts'
import { machine } from './machine.ts'
import { MAX_OTHER_WORK, otherWork, untilQuiet } from './other-work.ts'
import { round } from './promise.ts'
import { repeat } from './repeat.ts'
import { judge, toLine, toTable } from './rows.ts'
import type { ChartSpec } from './chart.ts'
import type { BenchOptions } from './options.ts'
import type { Promised } from './promise.ts'
import type { MeasuredRow, Row } from './rows.ts'

/**
 * Collects the results of a bench, prints them, and writes them as JSON and into the
 * documents
 */
export class Scoreboard {
  private readonly name: string
  private readonly title: string
  private readonly options: BenchOptions
  private readonly versions: Record<string, string>
  private readonly rows: MeasuredRow[] = []
  private readonly charts = new Map<string, ChartSpec>()
  private readonly start = performance.now()

  /**
   * What other programs did after the last part, for the one that begins now
   */
  private otherWork?: number

  /**
   * The name is that of the bench and of its section in docs/benchmarks.md, the
   * versions are those of the packages it compares with
   */
  constructor (name: string, title: string, options: BenchOptions, versions: Record<string, string> = {}) {
    this.name = name
    this.title = title
    this.options = options
    this.versions = versions
  }

  /**
   * Measure something that stands alone: it can be run by itself (`--part`), and is
   * repeated by itself when it misses a promise. The rows that are added meanwhile
   * belong to it.
   */
  async part (name: string, measure: () => Promise<void>): Promise<void> {
    if (this.options.part.length > 0 && !this.options.part.includes(name)) {
      return
    }

    const first = this.rows.length
    const start = performance.now()
    const before = this.otherWork != null && this.otherWork <= MAX_OTHER_WORK ? this.otherWork : await untilQuiet()
    console.error(`\n${name}: load ${round(os.loadavg()[0])}, other programs keep ${round(before)} cores busy`)
    await measure()
    this.otherWork = await otherWork()
    const busy = Math.max(before, this.otherWork)

    for (const row of this.rows.slice(first)) {
      Object.assign(row, { part: name, otherWork: busy })
      console.error(toLine(row))
    }

    console.error(`${name}: ${round((performance.now() - start) / 1_000)} s`)
  }

  /**
   * When to stop measuring, for `sideBySide`: once the promise is sure to be kept. For the documents
   * and with `--rounds` all rounds are measured.
   */
  untilSure<Results> (promise: (results: Results) => Promised): ((round: Results) => boolean) | undefined {
    return this.options.report || this.options.rounds != null ? undefined : round => promise(round).kept
  }

  add (row: Row): void {
    this.rows.push({ ...row, otherWork: 0 })
  }

  chart (name: string, spec: ChartSpec): void {
    this.charts.set(name, spec)
  }

  /**
   * Print the table and write what the flags ask for. With `--check` a part that missed a
   * promise is measured once more, in fresh processes, and the exit code is 1 when a
   * promise is missed again or cannot be judged.
   */
  async finish (): Promise<void> {
    if (this.options.check) {
      await this.repeatMissed()
    }

    console.info(`\n${this.title}\n\n${toTable(this.rows)}\n`)
    console.info(`${this.conditions()}, ${round((performance.now() - this.start) / 1_000)} s in all\n`)

    if (this.options.json != null) {
      const { name, title, versions, rows } = this
      const result = {
        name,
        title,
        command: this.command(),
        machine: machine(),
        versions,
        rows,
        charts: Object.fromEntries(this.charts)
      }
      await writeFile(this.options.json, `${JSON.stringify(result, null, 2)}\n`)
    }

    if (this.options.report) {
      await writeDocuments(this.name, this.introduction(), toTable(this.rows), this.charts)
    }

    if (this.options.check && this.rows.some(row => ['missed', 'unjudged'].includes(judge(row) ?? ''))) {
      process.exitCode = 1
    }
  }

  private async repeatMissed (): Promise<void> {
    const missed = this.rows.filter(row => judge(row) === 'missed')

    if (missed.length === 0) {
      return
    }

    console.error(`\nmissed, so once more in fresh processes: ${missed.map(({ what }) => what).join('; ')}`)
    const again = await repeat([...new Set(missed.flatMap(({ part = [] }) => part))])

    for (const row of missed) {
      const second = again.find(({ what }) => what === row.what)
      const { results, promise, otherWork } = row
      Object.assign(row, second, { first: second == null ? undefined : { results, promise, otherWork } })
    }
  }

  private introduction (): string {
    const { cpu, cores, memory, system, node } = machine()
    const versions = Object.entries({ node: node.slice(1), ...this.versions }).map(
      ([subject, version]) => `${subject} ${version}`
    )

    return `\`${this.command()}\` on ${cores} cores (${cpu}, ${memory} GiB, ${system}), with ${versions.join(', ')}; ` +
      `${this.conditions()}:`
  }

  private conditions (): string {
    const busy = round(Math.max(0, ...this.rows.map(({ otherWork }) => otherWork)))

    return `other programs kept ${busy} cores busy at most (above ${MAX_OTHER_WORK} nothing timed is judged)`
  }

  private command (): string {
    const { check, rounds, part } = this.options
    const flags = [
      ...check ? ['--check'] : [],
      ...rounds == null ? [] : ['--rounds', rounds],
      ...part.flatMap(part => ['--part', `'${part}'`])
    ]

    return [`npm run bench:${this.name}`, ...flags.length > 0 ? ['--', ...flags] : []].join(' ')
  }
}
