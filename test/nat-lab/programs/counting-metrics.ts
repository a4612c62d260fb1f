import { say } from './talk.ts'
import type { Metrics } from '@libp2p/interface'

/**
 * Says what the metrics count of renewals, as it happens
 */
export function sayRenewals (): Metrics {
  const counts: Record<string, number> = {}
  const nothing = { increment: () => {}, update: () => {} }

  return {
    registerMetricGroup: () => nothing,
    registerCounterGroup: (name: string) => name !== 'libp2p_tcp_stun_renewals_total'
      ? nothing
      : {
          increment: (causes: Record<string, unknown>) => {
            for (const cause of Object.keys(causes)) {
              counts[cause] = (counts[cause] ?? 0) + 1
              say('renewal', { cause, ...counts })
            }
          }
        }
  } as any
}
