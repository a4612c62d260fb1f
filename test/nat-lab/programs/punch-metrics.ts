import { emit } from '../../child/commands.ts'
import type { Metrics } from '@libp2p/interface'

/**
 * Metrics that report the outcome of each hard punch as an event
 */
export function punchMetrics (): Metrics {
  return {
    registerCounterGroup: (name: string) => ({
      increment: (outcomes: Record<string, unknown>) => {
        if (name === 'libp2p_tcp_stun_hard_punches_total') {
          emit('hard-punch', { outcome: Object.keys(outcomes)[0], time: Date.now() })
        }
      }
    })
  } as any
}
