import { fileURLToPath } from 'node:url'
import type { Host, Program } from '../nat-lab/index.ts'

const EXAMPLES = fileURLToPath(new URL('../../../examples', import.meta.url))

/**
 * Stops a program by a signal when the standard input ends, as other programs of the
 * laboratory do
 */
const UNTIL_STDIN_ENDS = '"$@" & pid=$!; cat > /dev/null; kill $pid; wait $pid'

/**
 * On a busy machine, in ms
 */
const PATIENCE = 60_000

/**
 * Run a program of an example in a host, as a user would
 */
export function runExample (host: Host, file: string, ...args: string[]): Program {
  return host.exec('sh', ['-c', UNTIL_STDIN_ENDS, file, process.execPath, `${EXAMPLES}/${file}`, ...args])
}

/**
 * Run a program that reads what the user types
 */
export function runInteractiveExample (host: Host, file: string, ...args: string[]): Program {
  return host.exec(process.execPath, [`${EXAMPLES}/${file}`, ...args])
}

/**
 * Wait for a line, and take what the groups of the pattern match
 */
export async function said (program: Program, pattern: RegExp): Promise<string[]> {
  const { text } = await program.happened(({ event, text }) => event === 'line' && pattern.test(text), PATIENCE)
  const [, ...groups] = pattern.exec(text) ?? []

  return groups
}
