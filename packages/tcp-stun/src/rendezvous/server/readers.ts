import { systemClock } from './clock.ts'
import type { Clock, Timer } from 'libp2p-tcp-stun/mapping'

/**
 * How long further registrations are awaited before readers are answered, in ms: so long
 * for each reader, and at least that. When many peers start at once, each reader gets a few
 * answers and not one for each peer. To answer one takes about 0.3 ms, so that the answers
 * keep the processor busy for a third of the time at most.
 */
const GATHER_PER_READER = 1
const MIN_GATHER = 100

/**
 * How many readers are answered before other work has its turn
 */
const SLICE = 32

interface Reader {
  resolve(): void
}

/**
 * Readers that have read everything, and wait for a registration
 */
export class Readers {
  private readonly clock: Clock
  private readonly waiting = new Map<string | undefined, Set<Reader>>()
  private readonly changed = new Set<string | undefined>()
  private timer?: Timer
  private count = 0

  constructor (clock: Clock = systemClock) {
    this.clock = clock
  }

  /**
   * How many readers wait
   */
  get size (): number {
    return this.count
  }

  /**
   * Wait for a registration in a namespace, or in any; for `ms` at most, and no longer
   * than the signal allows. Never throws.
   */
  async wait (namespace: string | undefined, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      return
    }

    const readers = this.waiting.get(namespace) ?? new Set()
    this.waiting.set(namespace, readers)

    await new Promise<void>(resolve => {
      const reader: Reader = {
        resolve: () => {
          if (!readers.delete(reader)) {
            return
          }

          this.count--
          timer.clear()
          signal.removeEventListener('abort', reader.resolve)

          if (readers.size === 0 && this.waiting.get(namespace) === readers) {
            this.waiting.delete(namespace)
          }

          resolve()
        }
      }
      const timer = this.clock.setTimeout(reader.resolve, ms)
      signal.addEventListener('abort', reader.resolve)
      readers.add(reader)
      this.count++
    })
  }

  /**
   * There is a new registration
   */
  notify (namespace: string): void {
    if (!this.waiting.has(namespace) && !this.waiting.has(undefined)) {
      return
    }

    this.changed.add(namespace).add(undefined)
    this.timer ??= this.clock.setTimeout(() => { this.wake() }, Math.max(MIN_GATHER, GATHER_PER_READER * this.count))
  }

  close (): void {
    this.timer?.clear()
    this.timer = undefined
    this.changed.clear()
  }

  private wake (): void {
    this.timer = undefined
    const readers = [...this.changed].flatMap(namespace => [...this.waiting.get(namespace) ?? []])
    this.changed.clear()
    wakeSome(readers, 0)
  }
}

function wakeSome (readers: Reader[], start: number): void {
  readers.slice(start, start + SLICE).forEach(reader => { reader.resolve() })

  if (start + SLICE < readers.length) {
    setImmediate(wakeSome, readers, start + SLICE)
  }
}
