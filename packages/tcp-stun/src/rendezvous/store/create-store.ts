import { LevelStore } from './level-store.ts'
import type { BoardStore } from './store.ts'

/**
 * A store by its location: the URL of a Redis server (`redis://` or `rediss://`), or a
 * folder. It is opened when the board starts.
 */
export async function createStore (location: string): Promise<BoardStore> {
  if (/^rediss?:\/\//.test(location)) {
    // only loaded where it is used
    const { RedisStore } = await import('./redis-store.ts')

    return new RedisStore(location)
  }

  return new LevelStore(location)
}
