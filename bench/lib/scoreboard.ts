/* eslint-disable no-console */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { markdownTable } from 'markdown-table'
import { drawChart } from './chart.ts'
import { machine } from './machine.ts'
import { round } from './promise.ts'
import type { ChartSpec } from './chart.ts'
import type { BenchOptions } from './options.ts'
import type { Promised } from './promise.ts'
import type { Sample } from './side-by-side.ts'

const DOCS = new URL('../../../docs/', import.meta.url)

export interface Row {
  what: string
  unit: string

  /**
   * By the name of the subject
   */
  results: Record<string, Sample | number>
  promise?: Promised
}

/**
 * Collects the results of a bench, prints them, and writes them as JSON and into the
 * documents
 */
export class Scoreboard {
  private readonly name: string
  private readonly title: string
  private readonly options: BenchOptions
  private readonly versions: Record<string, string>
  private readonly rows: Row[] = []
  private readonly charts = new Map<string, ChartSpec>()

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

  add (row: Row): void {
    this.rows.push(row)
    // progress on the terminal
    console.error(
      `${row.what}: ${Object.entries(row.results)
        .map(([subject, result]) => `${subject} ${cell(result)}`)
        .join(', ')} ${row.unit}${row.promise == null ? '' : ` - ${verdict(row.promise)}`}`
    )
  }

  chart (name: string, spec: ChartSpec): void {
    this.charts.set(name, spec)
  }

  /**
   * Print the table, write what the flags ask for, and set exit code 1 when `--check`
   * finds a missed promise
   */
  async finish (): Promise<void> {
    console.info(`\n${this.title}\n\n${this.table()}\n`)

    if (this.options.json != null) {
      const { name, title, versions, rows } = this
      const charts = Object.fromEntries(this.charts)
      await writeFile(
        this.options.json,
        `${JSON.stringify({ name, title, command: this.command(), machine: machine(), versions, rows, charts }, null, 2)}\n`
      )
    }

    if (this.options.report) {
      await this.writeDocs()
    }

    if (this.options.check && this.rows.some(({ promise }) => promise?.kept === false)) {
      process.exitCode = 1
    }
  }

  private table (): string {
    const subjects = [...new Set(this.rows.flatMap(({ results }) => Object.keys(results)))]
    const lines = this.rows.map(({ what, unit, results, promise }) => [
      what,
      unit,
      ...subjects.map(subject => subject in results ? cell(results[subject]) : ''),
      promise == null ? '' : verdict(promise)
    ])

    return markdownTable([['', 'unit', ...subjects, 'promise'], ...lines], {
      align: ['l', 'l', ...subjects.map(() => 'r'), 'l']
    })
  }

  private async writeDocs (): Promise<void> {
    const { cpu, cores, memory, system, node } = machine()
    const versions = Object.entries({ node: node.slice(1), ...this.versions }).map(
      ([subject, version]) => `${subject} ${version}`
    )
    const pictures: string[] = []

    await mkdir(new URL('bench/', DOCS), { recursive: true })

    for (const [name, spec] of this.charts) {
      await writeFile(new URL(`bench/${name}.svg`, DOCS), `${await drawChart(spec)}\n`)
      pictures.push(`![${spec.title}](bench/${name}.svg)`)
    }

    const text = await readFile(new URL('benchmarks.md', DOCS), 'utf8')
    const [begin, end] = [`<!-- bench:${this.name} -->`, `<!-- /bench:${this.name} -->`]

    if (!text.includes(begin) || !text.includes(end)) {
      throw new Error(`docs/benchmarks.md has no place for it: ${begin} ${end}`)
    }

    const section = [
      `\`${this.command()}\` on ${cores} cores (${cpu}, ${memory} GiB, ${system}), with ${versions.join(', ')}:`,
      this.table(),
      ...pictures
    ].join('\n\n')

    await writeFile(
      new URL('benchmarks.md', DOCS),
      `${text.slice(0, text.indexOf(begin))}${begin}\n${section}\n${text.slice(text.indexOf(end))}`
    )
  }

  private command (): string {
    const { check, rounds } = this.options
    const flags = [...check ? ['--check'] : [], ...rounds == null ? [] : ['--rounds', rounds]]

    return [`npm run bench:${this.name}`, ...flags.length > 0 ? ['--', ...flags] : []].join(' ')
  }
}

function cell (result: Sample | number): string {
  return typeof result === 'number'
    ? round(result)
    : `${round(result.median)} (${round(result.min)} to ${round(result.max)})`
}

function verdict ({ text, kept }: Promised): string {
  return `${text}: ${kept ? 'kept' : 'MISSED'}`
}
