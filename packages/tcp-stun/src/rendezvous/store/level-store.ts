import { readFile, readdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { LevelDatastore } from 'datastore-level'
import { Key } from 'interface-datastore'
import { Level } from 'level'
import { decodeStored, encodeStored } from './encoding.ts'
import { keyOf } from './store.ts'
import type { BoardStore, Change, RegistrationKey, StoreObserver, StoredRegistration } from './store.ts'

/**
 * How many registrations are read at once
 */
const BATCH = 1_000

/**
 * Another process uses the folder, such as a second helper
 */
export class StoreInUseError extends Error {
  static name = 'StoreInUseError'
  name = 'StoreInUseError'
}

/**
 * The folder cannot be created or written
 */
export class StoreUnusableError extends Error {
  static name = 'StoreUnusableError'
  name = 'StoreUnusableError'
}

/**
 * Keeps registrations in a folder, with LevelDB. A damaged database is repaired, and one
 * that cannot be is set aside: the board starts with what is readable.
 */
export class LevelStore implements BoardStore {
  readonly name: string
  private datastore?: LevelDatastore
  private observer?: StoreObserver

  constructor (folder: string) {
    this.name = folder
  }

  async open (observer: StoreObserver): Promise<void> {
    this.observer = observer

    try {
      await this.openDatabase()
    } catch (err: any) {
      if (isLocked(err)) {
        throw new StoreInUseError(
          `Another process uses ${this.name}. Stop it, or give this one a folder of its own.`,
          { cause: err }
        )
      }

      if (!await isDamaged(this.name, err)) {
        throw new StoreUnusableError(`The board cannot use the folder ${this.name}: ${reason(err)}`, { cause: err })
      }

      await this.mend(err)
    }

    const lost = await lostBytes(this.name)

    if (lost > 0) {
      observer.onDamage(
        `The database in ${this.name} was damaged, and has lost ${lost} bytes. The board starts with what is ` +
          'readable; other peers register again.'
      )
    }
  }

  async * load (): AsyncGenerator<StoredRegistration> {
    const registrations = await this.readAll().catch(async err => {
      // of a block that is damaged
      await this.close()
      await this.mend(err)

      return this.readAll()
    })

    yield * registrations
  }

  async write (changes: Change[]): Promise<void> {
    const datastore = this.datastore ?? await this.openDatabase()
    const batch = datastore.batch()

    for (const change of changes) {
      if (change.type === 'put') {
        batch.put(toKey(change.registration), encodeStored(change.registration))
      } else {
        batch.delete(toKey(change.key))
      }
    }

    try {
      await batch.commit()
    } catch (err) {
      // after a failed write LevelDB refuses all others until it is opened again
      await this.close()
      throw err
    }
  }

  async close (): Promise<void> {
    const { datastore } = this
    this.datastore = undefined
    await datastore?.close()
  }

  private async openDatabase (): Promise<LevelDatastore> {
    const database = new Level<string, Uint8Array>(this.name, { keyEncoding: 'utf8', valueEncoding: 'view' })
    // by hand: the datastore would drop the reason of a failure
    await database.open({ compression: false })
    const datastore = new LevelDatastore(database)
    this.datastore = datastore

    return datastore
  }

  private async readAll (): Promise<StoredRegistration[]> {
    const registrations: StoredRegistration[] = []
    const damaged: string[] = []
    const datastore = this.datastore ?? await this.openDatabase()
    // past the datastore, whose query takes a turn of the event loop for each
    const iterator = datastore.db.iterator()

    try {
      for (let entries = await iterator.nextv(BATCH); entries.length > 0; entries = await iterator.nextv(BATCH)) {
        for (const [key, value] of entries) {
          const registration = decodeStored(value)

          if (registration == null) {
            damaged.push(key)
          } else {
            registrations.push(registration)
          }
        }
      }
    } finally {
      await iterator.close()
    }

    if (damaged.length > 0) {
      this.observer?.onDamage(
        `${damaged.length} of ${damaged.length + registrations.length} registrations in ${this.name} are damaged. ` +
          'The board starts without them; their peers register again.'
      )
      const batch = datastore.batch()
      damaged.forEach(key => { batch.delete(new Key(key)) })
      await batch.commit()
    }

    return registrations
  }

  /**
   * Have LevelDB keep what it can read, or begin anew
   */
  private async mend (cause: Error): Promise<void> {
    try {
      await repair(this.name)
      await this.openDatabase()
      this.observer?.onDamage(
        `The database in ${this.name} was damaged (${reason(cause)}). It was repaired, and may lack registrations; ` +
          'their peers register again.'
      )
    } catch (err: any) {
      const aside = `${this.name}.damaged-${Date.now()}`
      await rename(this.name, aside)
      await this.openDatabase()
      this.observer?.onDamage(
        `The database in ${this.name} is damaged and cannot be repaired (${reason(err)}). It was moved to ${aside}, ` +
          'and the board starts empty.'
      )
    }
  }
}

function toKey (key: RegistrationKey): Key {
  const { form, peer, namespace } = key

  // a namespace may have any characters
  return new Key(`/${keyOf({ form, peer, namespace: Buffer.from(namespace).toString('base64url') })}`)
}

async function repair (folder: string): Promise<void> {
  await (Level as unknown as { repair(folder: string): Promise<void> }).repair(folder)
}

/**
 * How many bytes of its journal LevelDB could not read when it was opened. Only its own log
 * tells.
 */
async function lostBytes (folder: string): Promise<number> {
  const log = await readFile(path.join(folder, 'LOG'), 'utf8').catch(() => '')

  return [...log.matchAll(/dropping (\d+) bytes/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0)
}

/**
 * Whether it is a database that can be mended, and not the wrong folder or the system that
 * refuses
 */
async function isDamaged (folder: string, err: Error): Promise<boolean> {
  const files = await readdir(folder).catch(() => [])

  return files.some(file => /^(?:CURRENT|MANIFEST-\d+)$/.test(file)) && !/denied|No space|Read-only/i.test(reason(err))
}

function isLocked (err: Error): boolean {
  return /\block\b|LEVEL_LOCKED/i.test(reason(err))
}

function reason (err: Error): string {
  return String((err.cause as Error | undefined)?.message ?? err.message)
}
