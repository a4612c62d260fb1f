import { RESP_TYPES, createClient } from '@redis/client'
import { decodeStored, encodeStored } from './encoding.ts'
import { keyOf } from './store.ts'
import type { BoardStore, Change, RegistrationKey, StoreObserver, StoredRegistration } from './store.ts'
import type { RecordForm } from '../signed-record.ts'

/**
 * All registrations: a hash by their keys
 */
const REGISTRATIONS = 'tcp-stun:rendezvous:registrations'

/**
 * The last changes, in their order: a stream that every helper follows
 */
const CHANGES = 'tcp-stun:rendezvous:changes'

/**
 * How many changes the stream keeps, about. A helper that misses more reads everything.
 */
const MAX_CHANGES = 10_000

/**
 * How long Redis waits for a change before it answers with none, in ms
 */
const BLOCK = 5_000

/**
 * How many changes, or registrations, are read at once
 */
const BATCH = 1_000

/**
 * How long a start waits for Redis, in ms. The board works without it.
 */
const START_TIMEOUT = 2_000

/**
 * How long to wait before the next connection, in ms: more each time
 */
const MIN_RETRY = 100
const MAX_RETRY = 2_000

/**
 * A connection, on which all values are bytes
 */
// eslint-disable-next-line @typescript-eslint/explicit-function-return-type
function connectTo (url: string) {
  return createClient({
    url,
    // the board keeps what is not written yet
    disableOfflineQueue: true,
    socket: {
      connectTimeout: START_TIMEOUT,
      reconnectStrategy: retries => Math.min(MIN_RETRY * 2 ** retries, MAX_RETRY)
    }
  }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
}

type Client = ReturnType<typeof connectTo>

/**
 * Keeps registrations in Redis. Several helpers with the same Redis answer for one board:
 * each has all registrations in memory, and follows the changes of the others.
 */
export class RedisStore implements BoardStore {
  readonly name: string
  private readonly client: Client

  /**
   * Waits for changes, which blocks a connection
   */
  private readonly follower: Client
  private observer?: StoreObserver
  private following?: Promise<void>
  private closed = false

  /**
   * @param url - `redis://[[user]:password@]host[:port][/database]`, or `rediss:` for TLS
   */
  constructor (url: string) {
    // without the password
    const { protocol, host, pathname } = new URL(url)
    this.name = `${protocol}//${host}${pathname}`
    this.client = connectTo(url)
    this.follower = connectTo(url)
  }

  async open (observer: StoreObserver): Promise<void> {
    this.observer = observer
    // without a listener an error would end the process
    this.client.on('error', () => {})
    this.follower.on('error', err => {
      if (!this.closed) {
        observer.onConnection(new Error(`Redis at ${this.name}: ${err.message === '' ? String(err) : err.message}`))
      }
    })

    const ready = Promise.all([this.client.connect(), this.follower.connect()])
    // it goes on trying, until it is closed
    this.following = ready.then(async () => this.follow()).catch(() => {})
    const timeout = Promise.withResolvers<void>()
    const timer = setTimeout(timeout.resolve, START_TIMEOUT)
    await Promise.race([ready.catch(() => {}), timeout.promise])
    clearTimeout(timer)
  }

  async * load (): AsyncGenerator<StoredRegistration> {
    let damaged = 0

    if (!this.client.isReady) {
      // it is loaded once Redis is there
      return
    }

    for await (const entries of this.client.hScanIterator(REGISTRATIONS, { COUNT: BATCH })) {
      for (const { value } of entries) {
        const registration = decodeStored(value)

        if (registration == null) {
          damaged++
        } else {
          yield registration
        }
      }
    }

    if (damaged > 0) {
      this.observer?.onDamage(
        `${damaged} registrations in ${this.name} cannot be read. The board goes on without them.`
      )
    }
  }

  async write (changes: Change[]): Promise<void> {
    const transaction = this.client.multi()
    const trim = { TRIM: { strategy: 'MAXLEN', strategyModifier: '~', threshold: MAX_CHANGES } } as const

    for (const change of changes) {
      if (change.type === 'put') {
        const value = Buffer.from(encodeStored(change.registration))
        transaction.hSet(REGISTRATIONS, keyOf(change.registration), value)
        transaction.xAdd(CHANGES, '*', { put: value }, trim)
      } else {
        const key = keyOf(change.key)
        transaction.hDel(REGISTRATIONS, key)
        transaction.xAdd(CHANGES, '*', { delete: key, via: change.via }, trim)
      }
    }

    await transaction.exec()
  }

  async close (): Promise<void> {
    this.closed = true
    destroy(this.client)
    destroy(this.follower)
    await this.following
  }

  /**
   * Follow the changes until the store is closed
   */
  private async follow (): Promise<void> {
    while (!this.closed) {
      try {
        // before everything is read, so that no change is missed
        let position = await this.lastChange()
        this.observer?.onConnection()
        this.observer?.onGap()

        while (true) {
          position = await this.readChanges(position)
        }
      } catch {
        await this.untilReady()
      }
    }
  }

  private async lastChange (): Promise<string> {
    const changes = await this.follower.xRevRange(CHANGES, '+', '-', { COUNT: 1 })

    return String(changes?.[0]?.id ?? '0-0')
  }

  /**
   * @returns the position of the last change
   */
  private async readChanges (position: string): Promise<string> {
    const streams = await this.follower.xRead({ key: CHANGES, id: position }, { BLOCK, COUNT: BATCH })

    for (const { id, message } of streams?.[0].messages ?? []) {
      const change = toChange(message)
      position = String(id)

      if (change != null) {
        this.observer?.onChange(change)
      }
    }

    return position
  }

  private async untilReady (): Promise<void> {
    if (this.closed || this.follower.isReady) {
      return
    }

    await new Promise<void>(resolve => {
      const done = (): void => {
        this.follower.off('ready', done).off('end', done)
        resolve()
      }
      this.follower.on('ready', done).on('end', done)
    })
  }
}

function destroy (client: Client): void {
  if (client.isOpen) {
    client.destroy()
  }
}

function toChange ({ put, delete: key, via }: Record<string, Buffer | undefined>): Change | undefined {
  if (put != null) {
    const registration = decodeStored(put)

    return registration == null ? undefined : { type: 'put', registration }
  }

  if (key != null) {
    return { type: 'delete', key: toKey(String(key)), via: String(via) }
  }
}

/**
 * The reverse of `keyOf`
 */
function toKey (text: string): RegistrationKey {
  const [form, peer, ...namespace] = text.split('/')

  return { form: form as RecordForm, peer, namespace: namespace.join('/') }
}
