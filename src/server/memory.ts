import type { Limits } from './limits.ts'

/**
 * The most memory that one client can cost, in bytes: a TLS session together with
 * answers that the client has not read takes a third of it.
 */
export const MAX_CLIENT_MEMORY = 262_144

export interface MemoryUsage {
  /**
   * Resident memory of the process, in bytes
   */
  rss: number

  /**
   * What it was when the server began to listen, in bytes
   */
  atRest: number

  /**
   * Clients that are connected
   */
  connections: number
}

/**
 * The memory that clients cost, in bytes. The system does not get back all that
 * clients needed once they are gone, so what is beyond the possible cost of those
 * that are still here is not theirs: refusing others would not free it.
 */
export function clientMemory ({ rss, atRest, connections }: MemoryUsage): number {
  return Math.max(0, Math.min(rss - atRest, connections * MAX_CLIENT_MEMORY))
}

/**
 * How often the memory of the process is read, in ms
 */
const MEMORY_INTERVAL = 1_000

/**
 * How often garbage is collected while there is too little memory, in ms
 */
const COLLECT_INTERVAL = 10_000

/**
 * Give back the memory of garbage, where the process was started with --expose-gc.
 * It takes some 10 ms, and longer with thousands of clients.
 */
export function collectGarbage (): void {
  // the only flavor that gives pages back to the system
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/**
 * Tells whether clients take up more memory than they may
 */
export class MemoryWatch {
  private readonly limits: Limits
  private atRest = 0
  private readAt = -Infinity
  private collectedAt = -Infinity
  private exceeded = false

  constructor (limits: Limits) {
    this.limits = limits
  }

  /**
   * What the process has now is not the clients'
   */
  start (): void {
    this.atRest = process.memoryUsage.rss()
    this.readAt = -Infinity
  }

  /**
   * Whether the limit is exceeded, at most a second ago
   */
  isExceeded (connections: number): boolean {
    const now = performance.now()

    if (now - this.readAt >= MEMORY_INTERVAL) {
      this.readAt = now
      this.exceeded = this.read(connections)

      // garbage is no reason to refuse clients
      if (this.exceeded && now - this.collectedAt >= COLLECT_INTERVAL) {
        this.collectedAt = now
        collectGarbage()
        this.exceeded = this.read(connections)
      }
    }

    return this.exceeded
  }

  private read (connections: number): boolean {
    return clientMemory({ rss: process.memoryUsage.rss(), atRest: this.atRest, connections }) > this.limits.maxMemory
  }
}
