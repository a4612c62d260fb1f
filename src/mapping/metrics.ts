import { LISTENER_LABEL } from '../metrics/listener-label.ts'
import { sharedGauge } from '../metrics/shared-gauge.ts'
import { externalOf } from './status.ts'
import type { MappingStatus } from './status.ts'
import type { RenewalCause } from './target.ts'
import type { SharedGauge } from '../metrics/shared-gauge.ts'
import type { CounterGroup, Metrics } from '@libp2p/interface'

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
 * The metrics of a mapping, labelled with the listener's multiaddr. Servers are
 * labelled as they were configured: what a server names as its OTHER-ADDRESS has no
 * label of its own.
 */
export class MappingMetrics {
  private readonly label: string
  private readonly state?: SharedGauge
  private readonly since?: SharedGauge
  private readonly roundTrip?: SharedGauge
  private readonly changes?: CounterGroup
  private readonly renewals?: CounterGroup
  private readonly failures?: CounterGroup
  private readonly roundTrips: Record<string, number> = {}
  private external?: string

  constructor (metrics: Metrics | undefined, label: string) {
    this.label = label
    this.state = sharedGauge(metrics, 'libp2p_tcp_stun_mapping_state_info', {
      label: LISTENER_LABEL,
      help: 'State of the mapping of a listener: 0 direct, 1 mapped, 2 acquiring, 3 endpoint-dependent, 4 lost, 5 ' +
        'unsupported'
    })
    this.since = sharedGauge(metrics, 'libp2p_tcp_stun_mapping_start_time_seconds', {
      label: LISTENER_LABEL,
      help: 'When the external address was first seen, in seconds since the epoch'
    })
    this.roundTrip = sharedGauge(metrics, 'libp2p_tcp_stun_server_round_trip_seconds', {
      label: 'server',
      help: 'Time from the last Binding request to its answer'
    })
    this.changes = metrics?.registerCounterGroup('libp2p_tcp_stun_mapping_changes_total', {
      label: 'event',
      help: 'How often an external address was mapped, changed or lost'
    })
    this.renewals = metrics?.registerCounterGroup('libp2p_tcp_stun_renewals_total', {
      label: 'cause',
      help: 'Connections to STUN servers that were replaced: ahead of their end, ended by the server, failed, or ' +
        'moved with the local address'
    })
    this.failures = metrics?.registerCounterGroup('libp2p_tcp_stun_server_failures_total', {
      label: 'failure',
      help: 'Failures of STUN servers by server and error'
    })
  }

  /**
   * @param status - the new one
   * @param date - in ms since the epoch
   */
  onStatus (status: MappingStatus, date: number): void {
    this.state?.set(this, { [this.label]: STATES[status.state] })
    const external = externalOf(status)?.toString()

    if (external !== this.external) {
      this.external = external
      this.since?.set(this, external == null ? {} : { [this.label]: date / 1_000 })
    }
  }

  onEvent (event: 'mapped' | 'changed' | 'lost'): void {
    this.changes?.increment({ [event]: true })
  }

  /**
   * @param server - as it was configured
   * @param roundTrip - in ms
   */
  onAnswer (server: string, roundTrip: number): void {
    this.roundTrips[server] = roundTrip / 1_000
    this.roundTrip?.set(this, this.roundTrips)
  }

  onRenewal (cause: RenewalCause): void {
    this.renewals?.increment({ [cause]: true })
  }

  /**
   * @param server - as it was configured
   */
  onFailure (server: string, error: Error): void {
    this.failures?.increment({ [`${server} ${error.name}`]: true })
  }

  /**
   * Take back what a gauge shows of this mapping
   */
  close (): void {
    this.state?.delete(this)
    this.since?.delete(this)
    this.roundTrip?.delete(this)
  }
}
