import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { oneAtATime } from '../fixtures/side-by-side.ts'
import type { Host, Program, ProgramEvent } from '../nat-lab/index.ts'
import type { CheckScreensInit } from '../nat-lab/programs/check-screens.ts'

/**
 * The built command `tcp-stun`
 */
export const COMMAND = path.join(
  path.dirname(fileURLToPath(import.meta.url)),
  '../../../packages/tcp-stun/dist/src/cli/index.js'
)

/**
 * Make a check whose screens are printed. Only the wait for the peer outside is beside
 * other checks.
 */
export async function measure (
  turn: ReturnType<typeof oneAtATime>,
  host: Host,
  init: CheckScreensInit
): Promise<ProgramEvent> {
  const program = await turn(async () => {
    const program = host.run('check-screens', init)
    await program.happened(({ event }) => ['measured', 'verdict', 'exit'].includes(event))

    return program
  })

  return program.waitFor('verdict')
}

/**
 * Servers and helpers of a suite. They end by a signal only, so they are ended before its
 * laboratory closes: call this before `laboratory()`.
 */
export function startsServers (): { serve(host: Host, ...args: string[]): Promise<ProgramEvent> } {
  const running: Program[] = []

  after(async () => {
    await Promise.all(running.map(async program => {
      program.kill()
      await program.waitFor('exit')
    }))
  })

  return {
    serve: async (host, ...args) => {
      const program = host.exec(process.execPath, [COMMAND, ...args, '--json'])
      running.push(program)

      return program.waitFor('listening', ({ id }) => args[0] === 'server' || id != null)
    }
  }
}
