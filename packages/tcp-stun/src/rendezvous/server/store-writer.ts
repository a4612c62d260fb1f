import { keyOf } from '../store/store.ts'
import type { BoardStore, Change } from '../store/store.ts'
import type { Clock, Timer } from 'libp2p-tcp-stun/mapping'

/**
 * Changes within this time are written together, in ms
 */
const GATHER = 20

/**
 * How long to wait after a failure, in ms: doubled each time
 */
const MIN_RETRY = 500
const MAX_RETRY = 30_000

/**
 * How many changes are written at once
 */
const BATCH = 1_000

/**
 * How often the last changes are tried to be written when the board closes
 */
const CLOSE_ATTEMPTS = 2

export interface StoreWriterObserver {
  /**
   * The store has failed, for the first time since it worked
   */
  onFailure(err: Error): void

  /**
   * The store works again, everything is written
   */
  onRecovery(): void
}

/**
 * Writes the changes of a board to its store, in the background: the board works without
 * its store. A later change of a registration replaces one that is not written yet, so
 * that a store that fails for long costs no memory without bounds.
 */
export class StoreWriter {
  private readonly store: BoardStore
  private readonly clock: Clock
  private readonly observer: StoreWriterObserver
  private pending = new Map<string, Change>()
  private failures = 0
  private timer?: Timer
  private writing?: Promise<void>

  constructor (store: BoardStore, clock: Clock, observer: StoreWriterObserver) {
    this.store = store
    this.clock = clock
    this.observer = observer
  }

  /**
   * Whether the last change of a registration is not written yet
   */
  has (key: string): boolean {
    return this.pending.has(key)
  }

  /**
   * The store may work again: try now
   */
  retry (): void {
    this.timer?.clear()
    this.timer = undefined
    this.schedule(0)
  }

  add (change: Change): void {
    this.pending.set(keyOf(change.type === 'put' ? change.registration : change.key), change)
    this.schedule(GATHER)
  }

  /**
   * Write what is left. Gives up when the store fails.
   */
  async close (): Promise<void> {
    this.timer?.clear()
    await this.writing

    for (let i = 0; i < CLOSE_ATTEMPTS && this.pending.size > 0; i++) {
      await this.flush()
    }

    this.timer?.clear()
  }

  private schedule (ms: number): void {
    if (this.timer != null || this.writing != null || this.pending.size === 0) {
      return
    }

    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined
      this.writing = this.flush().finally(() => {
        this.writing = undefined
        this.schedule(this.failures === 0 ? GATHER : Math.min(MIN_RETRY * 2 ** (this.failures - 1), MAX_RETRY))
      })
    }, ms)
  }

  private async flush (): Promise<void> {
    const changes = [...this.pending]

    try {
      for (let i = 0; i < changes.length; i += BATCH) {
        const batch = changes.slice(i, i + BATCH)
        await this.store.write(batch.map(([, change]) => change))

        for (const [key, change] of batch) {
          // unless it has changed once more
          if (this.pending.get(key) === change) {
            this.pending.delete(key)
          }
        }
      }

      if (this.failures > 0) {
        this.failures = 0
        this.observer.onRecovery()
      }
    } catch (err: any) {
      if (this.failures++ === 0) {
        this.observer.onFailure(err)
      }
    }
  }
}
