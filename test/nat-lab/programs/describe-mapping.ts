import type { ListenerStatus } from '../../../src/index.ts'
import type { MappingStatus } from '../../../src/mapping/index.ts'

/**
 * A status as JSON
 */
export function describeMapping (status: MappingStatus | ListenerStatus): object {
  return {
    state: status.state,
    keepAliveInterval: status.keepAliveInterval,
    external: 'external' in status ? status.external.toString() : undefined,
    local: 'local' in status ? status.local.toString() : undefined,
    behaviour: 'behaviour' in status ? status.behaviour : undefined,
    reachability: 'reachability' in status ? status.reachability : undefined,
    reachabilitySource: 'reachability' in status ? status.reachabilitySource : undefined,
    servers: 'servers' in status ? status.servers : undefined,
    reason: 'reason' in status ? status.reason.message : undefined,
    isPooled: 'isPooled' in status ? status.isPooled : undefined,
    failures: status.failures.map(({ server, error }) => ({ server, name: error.name, message: error.message }))
  }
}
