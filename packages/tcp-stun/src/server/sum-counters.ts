import { createCounters } from 'libp2p-tcp-stun/server'
import type { STUNServerCounters } from 'libp2p-tcp-stun/server'

/**
 * What several processes have counted together
 */
export function sumCounters (all: STUNServerCounters[]): STUNServerCounters {
  const sum = createCounters()

  for (const counters of all) {
    add(sum, counters)
  }

  return sum
}

function add (sum: Record<string, any>, counters: Record<string, any>): void {
  for (const [name, value] of Object.entries(counters)) {
    if (typeof value === 'number') {
      sum[name] += value
    } else {
      add(sum[name], value)
    }
  }
}
