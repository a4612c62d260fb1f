import type { Clock } from 'libp2p-tcp-stun/mapping'

/**
 * A timer that keeps the process alive
 */
const realTime: Pick<Clock, 'setTimeout'> = {
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms)

    return { clear: () => { clearTimeout(timer) } }
  }
}

/**
 * Resolves after some time, or when the signal aborts
 */
export async function sleep (ms: number, signal: AbortSignal, clock = realTime): Promise<void> {
  if (signal.aborted) {
    return
  }

  await new Promise<void>(resolve => {
    const done = (): void => {
      timer.clear()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
