import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { drawChart } from './chart.ts'
import type { ChartSpec } from './chart.ts'

const DOCS = new URL('../../../docs/', import.meta.url)

/**
 * Write the charts of a bench into docs/bench/, and its section into docs/benchmarks.md
 */
export async function writeDocuments (
  name: string, introduction: string, table: string, charts: Map<string, ChartSpec>
): Promise<void> {
  const pictures: string[] = []
  await mkdir(new URL('bench/', DOCS), { recursive: true })

  for (const [chart, spec] of charts) {
    await writeFile(new URL(`bench/${chart}.svg`, DOCS), `${await drawChart(spec)}\n`)
    pictures.push(`![${spec.title}](bench/${chart}.svg)`)
  }

  const text = await readFile(new URL('benchmarks.md', DOCS), 'utf8')
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`]

  if (!text.includes(begin) || !text.includes(end)) {
    throw new Error(`docs/benchmarks.md has no place for it: ${begin} ${end}`)
  }

  const section = [introduction, table, ...pictures].join('\n\n')
  await writeFile(
    new URL('benchmarks.md', DOCS),
    `${text.slice(0, text.indexOf(begin))}${begin}\n${section}\n${text.slice(text.indexOf(end))}`
  )
}
