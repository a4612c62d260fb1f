import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { MeasuredRow } from './rows.ts'

/**
 * Run this program again, in a process of its own and with the same flags
 *
 * @param parts - only these parts; all of them when the list is empty
 * @returns its rows, none when it failed
 */
export async function repeat (parts: string[]): Promise<MeasuredRow[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
  const file = path.join(folder, 'result.json')
  const flags = [...extraFlags(), '--json', file, ...parts.flatMap(part => ['--part', part])]
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...flags], { stdio: 'inherit' })

  try {
    await once(child, 'exit')

    return JSON.parse(await readFile(file, 'utf8')).rows
  } catch {
    return []
  } finally {
    await rm(folder, { recursive: true })
  }
}

/**
 * The flags of this process but for those that the repetition has in its own way
 */
function extraFlags (): string[] {
  const { tokens } = parseArgs({
    options: { json: { type: 'string' }, part: { type: 'string', multiple: true }, rounds: { type: 'string' } },
    strict: false,
    tokens: true
  })
  const skipped = ['check', 'report', 'json', 'part']
  const flags: string[] = []

  for (const token of tokens) {
    if (token.kind === 'positional') {
      flags.push(token.value)
    } else if (token.kind === 'option' && !skipped.includes(token.name)) {
      flags.push(token.rawName, ...token.value == null ? [] : [token.value])
    }
  }

  return flags
}
