import { externalOf } from './status.ts'
import type { RenewalCause } from './connections.ts'
import type { MappingStatus, ServerFailure } from './status.ts'
import type { Clock } from '../runtime/clock.ts'
import type { CounterGroup, MetricGroup, Metrics } from '@libp2p/interface'

/**
 * The states as numbers, in the order from good to bad
 */
const STATES: Record<MappingStatus['state'], number> = {
  direct: 0,
  mapped: 1,
  acquiring: 2,
  'endpoint-dependent': 3,
  lost: 4,
  unsupported: 5
}

/**
 * What an operator sees of a mapping, labelled with the listener's address
 */
export class MappingMetrics {
  private readonly label: string
  private readonly clock: Clock
  private readonly state?: MetricGroup
  private readonly roundTrip?: MetricGroup
  private readonly changes?: CounterGroup
  private readonly renewals?: CounterGroup
  private readonly failures?: CounterGroup
  private external?: string
  private since?: number

  constructor (metrics: Metrics | undefined, label: string, clock: Clock) {
    this.label = label
    this.clock = clock
    this.state = metrics?.registerMetricGroup('libp2p_tcp_stun_mapping_state_info', {
      label: 'address',
      help: 'State of the mapping of a listener: 0 direct, 1 mapped, 2 acquiring, 3 endpoint-dependent, 4 lost, 5 unsupported'
    })
    this.roundTrip = metrics?.registerMetricGroup('libp2p_tcp_stun_server_round_trip_seconds', {
      label: 'server',
      help: 'Time from the last Binding request to its answer'
    })
    this.changes = metrics?.registerCounterGroup('libp2p_tcp_stun_mapping_changes_total', {
      label: 'event',
      help: 'How often an external address was mapped, changed or lost'
    })
    this.renewals = metrics?.registerCounterGroup('libp2p_tcp_stun_renewals_total', {
      label: 'cause',
      help: 'Connections to STUN servers that were replaced: ahead of their end, ended by the server, failed, or moved with the local address'
    })
    this.failures = metrics?.registerCounterGroup('libp2p_tcp_stun_server_failures_total', {
      label: 'failure',
      help: 'Failures of STUN servers by server and error'
    })
    metrics?.registerMetricGroup('libp2p_tcp_stun_mapping_age_seconds', {
      label: 'address',
      help: 'For how long the external address is the same',
      calculate: () => this.since == null ? {} : { [this.label]: (this.clock.now() - this.since) / 1_000 }
    })
  }

  onStatus (status: MappingStatus): void {
    const external = externalOf(status)?.toString()

    if (external !== this.external) {
      this.external = external
      this.since = external == null ? undefined : this.clock.now()
    }

    this.state?.update({ [this.label]: STATES[status.state] })
  }

  onEvent (event: 'mapped' | 'changed' | 'lost'): void {
    this.changes?.increment({ [event]: true })
  }

  onAnswer (server: string, roundTrip: number): void {
    this.roundTrip?.update({ [server]: roundTrip / 1_000 })
  }

  onRenewal (cause: RenewalCause): void {
    this.renewals?.increment({ [cause]: true })
  }

  onFailure ({ server, error }: Pick<ServerFailure, 'server' | 'error'>): void {
    this.failures?.increment({ [`${server} ${error.name}`]: true })
  }
}
