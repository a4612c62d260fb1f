import { spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { pEvent } from 'p-event'
import { readResult } from './result.ts'
import type { Group } from './groups.ts'
import type { Result } from './result.ts'

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..')
const MOCHA = path.join(ROOT, 'node_modules/mocha/bin/mocha.js')

/**
 * For a test that sets none itself, in ms
 */
const TEST_TIMEOUT = 60_000

/**
 * Run a group of tests in a process of its own. An aborted signal ends it.
 */
export async function runMocha (
  { files, grep, invert = false }: Group,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal
): Promise<Result & { output: string }> {
  const child = spawn(
    process.execPath,
    [
      MOCHA,
      '--timeout',
      String(TEST_TIMEOUT),
      '--no-color',
      ...(grep == null ? [] : ['--grep', `/${grep}/`]),
      ...(invert ? ['--invert'] : []),
      ...files
    ],
    { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' }
  )
  const chunks: string[] = []
  child.stdout.on('data', chunk => { chunks.push(String(chunk)) })
  child.stderr.on('data', chunk => { chunks.push(String(chunk)) })
  child.on('error', err => { chunks.push(err.message) })
  const exitCode = await pEvent<'close', number | null>(child as any, 'close', { rejectionEvents: [] })
  const output = chunks.join('')

  return { ...readResult(output, exitCode), output }
}
