import { anySignal } from 'any-signal'
import { sleep } from '../sleep.ts'
import type { AbortOptions, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * How often the servers are looked up, in ms
 */
const REFRESH = 60 * 60_000

/**
 * A server that fails may have moved. It is looked up no more often than this, in ms.
 */
const AFTER_FAILURE = 60_000

/**
 * While no server is known, in ms: doubled each time
 */
const MIN_RETRY = 1_000
const MAX_RETRY = 60_000

/**
 * How long a look-up may take, in ms
 */
const TIMEOUT = 30_000

export interface LookUpInit {
  log: Logger

  /**
   * Whether any server is known
   */
  hasServers(): boolean

  lookUp(options: AbortOptions): Promise<Multiaddr[]>
  onServers(addresses: Multiaddr[]): void
  onFailure(error: Error): void
}

/**
 * Looks the servers up again and again, since a name may get other records
 */
export class LookUp {
  private readonly init: LookUpInit
  private attempts = 0
  private failed = new AbortController()

  constructor (init: LookUpInit) {
    this.init = init
  }

  /**
   * A server has failed
   */
  onServerFailure (): void {
    this.failed.abort()
  }

  /**
   * Go on until the signal aborts. Never throws.
   */
  async run (signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.waitForReason(signal)

      if (!signal.aborted) {
        await this.lookUp(signal)
      }
    }
  }

  private async waitForReason (signal: AbortSignal): Promise<void> {
    const { hasServers } = this.init

    if (!hasServers()) {
      await sleep(retryDelay(this.attempts++), signal)
      return
    }

    this.attempts = 0
    await sleep(AFTER_FAILURE, signal)
    const reason = anySignal([signal, this.failed.signal])
    await sleep(REFRESH - AFTER_FAILURE, reason)
    reason.clear()
  }

  private async lookUp (signal: AbortSignal): Promise<void> {
    const { lookUp, onServers, onFailure, log } = this.init
    const limited = anySignal([signal, AbortSignal.timeout(TIMEOUT)])
    this.failed = new AbortController()

    try {
      const addresses = await lookUp({ signal: limited })

      if (!signal.aborted) {
        onServers(addresses)
      }
    } catch (err: any) {
      if (!signal.aborted) {
        log('could not look the servers up - %e', err)
        onFailure(err)
      }
    } finally {
      limited.clear()
    }
  }
}

function retryDelay (attempts: number): number {
  return Math.min(MIN_RETRY * 2 ** attempts, MAX_RETRY) * (0.5 + Math.random() / 2)
}
