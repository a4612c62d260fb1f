import { emit } from '../../child/commands.ts'
import type { Metrics } from '@libp2p/interface'

/**
 * Metrics that report each renewal as an event, with the counts by cause
 */
export function renewalMetrics (): Metrics {
  const counts: Record<string, number> = {}
  const ignored = { increment: () => {}, update: () => {}, reset: () => {} }

  return {
    registerMetricGroup: () => ignored,
    registerCounterGroup: (name: string) => name !== 'libp2p_tcp_stun_renewals_total'
      ? ignored
      : {
          increment: (causes: Record<string, unknown>) => {
            for (const cause of Object.keys(causes)) {
              counts[cause] = (counts[cause] ?? 0) + 1
              emit('renewal', { cause, ...counts })
            }
          }
        }
  } as any
}
