import type { CounterGroup, Metrics } from '@libp2p/interface'

/**
 * Events of the dialer:
 *
 * - `connect`, `error`, `timeout`, `abort`: how a TCP connect ended
 * - `port_reused`: connected from a listening port
 * - `port_fallback`: a listening port could not be used, so a fresh one was
 * - `linger`, `adopt`: a dial was given up and kept connecting; a later dial took it over
 * - `used_inbound`: the remote peer's connection to our listener was used
 * - `punch_initiator`, `punch_responder`: connected in a hole punch, with this role
 * - `punch_refused`: a dial of a hole punch was refused
 * - `simultaneous_open`: both peers dialled as initiators on one TCP connection
 */
export type DialerEvent =
  | 'connect'
  | 'error'
  | 'timeout'
  | 'abort'
  | 'port_reused'
  | 'port_fallback'
  | 'linger'
  | 'adopt'
  | 'used_inbound'
  | 'punch_initiator'
  | 'punch_responder'
  | 'punch_refused'
  | 'simultaneous_open'

export class DialerMetrics {
  /**
   * Also given to the connections
   */
  readonly events?: CounterGroup
  private readonly errors?: CounterGroup

  constructor (metrics?: Metrics) {
    this.events = metrics?.registerCounterGroup('libp2p_tcp_stun_dialer_events_total', {
      label: 'event',
      help: 'Total count of TCP dialer events by type'
    })
    this.errors = metrics?.registerCounterGroup('libp2p_tcp_stun_dialer_errors_total', {
      label: 'event',
      help: 'Total count of TCP dialer errors by type'
    })
  }

  onEvent (event: DialerEvent): void {
    this.events?.increment({ [event]: true })
  }

  onError (error: 'outbound_to_connection' | 'outbound_upgrade'): void {
    this.errors?.increment({ [error]: true })
  }
}
