/* eslint-disable no-console */
/**
 * All benches, one after the other, each in its own process: `npm run bench`, with
 * `-- --check --report --rounds 5 --json FILE` as wanted. Ends with 1 when one of
 * them does.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { benchOptions } from './lib/options.ts'
import { judge, verdictText } from './lib/rows.ts'
import type { MeasuredRow } from './lib/rows.ts'

const { check, report, rounds, json } = benchOptions()
const flags = [
  ...(check ? ['--check'] : []),
  ...(report ? ['--report'] : []),
  ...(rounds == null ? [] : ['--rounds', String(rounds)])
]
const start = Date.now()
const directory = await mkdtemp(path.join(os.tmpdir(), 'bench-'))
const summary: string[] = []
const results: unknown[] = []

try {
  for (const name of (await readdir(import.meta.dirname)).sort()) {
    const program = path.join(import.meta.dirname, name, 'index.js')

    if (existsSync(program)) {
      await run(name, program)
    }
  }
} finally {
  await rm(directory, { recursive: true })
}

console.info(summary.join('\n'))
console.info(`${Math.round((Date.now() - start) / 1_000)} s in all`)

if (json != null) {
  await writeFile(json, `${JSON.stringify(results, null, 2)}\n`)
}

async function run (name: string, program: string): Promise<void> {
  const file = path.join(directory, `${name}.json`)
  const start = Date.now()
  const child = spawn(process.execPath, [program, ...flags, '--json', file], { stdio: 'inherit' })
  const [code, signal] = await once(child, 'exit')
  const result = existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : undefined
  const rows = (result?.rows ?? []) as MeasuredRow[]

  if (code !== 0) {
    process.exitCode = 1
  }

  results.push(result)
  summary.push(
    `${name}: ${code === 0 ? 'passed' : `FAILED (${code ?? signal})`} in ${Math.round((Date.now() - start) / 1_000)} s`
  )
  summary.push(
    ...rows
      .filter(row => judge(row) !== 'kept' || row.first != null)
      .filter(({ promise }) => promise != null)
      .map(row => `  ${row.what}: ${verdictText(row)}`)
  )
}
