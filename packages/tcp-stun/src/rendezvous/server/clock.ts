import type { Clock } from 'libp2p-tcp-stun/mapping'

/**
 * Real time. Its timers do not keep the process alive.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms).unref()

    return { clear: () => { clearTimeout(timer) } }
  }
}
