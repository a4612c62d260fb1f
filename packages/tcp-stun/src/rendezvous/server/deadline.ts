import type { Clock } from 'libp2p-tcp-stun/mapping'

/**
 * A signal that aborts after some time, and with another signal
 */
export interface Deadline {
  signal: AbortSignal

  /**
   * Must be called when the signal is not used any more
   */
  clear(): void
}

/**
 * Like `AbortSignal.any([parent, AbortSignal.timeout(ms)])`, by a clock that tests can hold
 */
export function deadline (clock: Clock, ms: number, parent: AbortSignal, what: string): Deadline {
  const controller = new AbortController()
  const timer = clock.setTimeout(() => { controller.abort(new Error(what)) }, ms)
  const abort = (): void => { controller.abort(parent.reason) }

  if (parent.aborted) {
    abort()
  } else {
    parent.addEventListener('abort', abort)
  }

  return {
    signal: controller.signal,
    clear: () => {
      timer.clear()
      parent.removeEventListener('abort', abort)
    }
  }
}
