import type { BoardStore, StoredRegistration } from './store.ts'

/**
 * Keeps nothing: the registrations are on the board itself, and gone when it stops
 */
export class MemoryStore implements BoardStore {
  readonly name = 'memory'

  async open (): Promise<void> {}

  async * load (): AsyncGenerator<StoredRegistration> {}

  async write (): Promise<void> {}

  async close (): Promise<void> {}
}
