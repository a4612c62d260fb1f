import type { Load } from './load.ts'
import type { Subject } from './subjects.ts'
import type { Scoreboard } from '../lib/scoreboard.ts'

/**
 * What all measurements of a server have in common
 */
export interface Under {
  board: Scoreboard
  load: Load

  /**
   * The worker processes of our server
   */
  workers: number
}

/**
 * Start servers, and stop them in the end, also when one does not start
 */
export async function using<T> (
  starts: Array<() => Promise<Subject>>, use: (...subjects: Subject[]) => Promise<T>
): Promise<T> {
  const subjects: Subject[] = []

  try {
    for (const start of starts) {
      subjects.push(await start())
    }

    return await use(...subjects)
  } finally {
    await Promise.all(subjects.map(async subject => subject.stop()))
  }
}
