import { sharedGauge } from '../metrics/shared-gauge.ts'
import type { SharedGauge } from '../metrics/shared-gauge.ts'
import type { CounterGroup, Metrics } from '@libp2p/interface'

/**
 * As `@libp2p/tcp` numbers them
 */
const STATES = { listening: 1, paused: 2 }

/**
 * The metrics of one listener. The label is its address. Gauges are taken back when
 * the listener closes.
 */
export class ListenerMetrics {
  /**
   * Also given to the connections
   */
  readonly events?: CounterGroup
  private readonly errors?: CounterGroup
  private readonly states?: SharedGauge
  private readonly connections?: SharedGauge
  private label = 'unknown'

  constructor (metrics?: Metrics) {
    this.connections = sharedGauge(metrics, 'libp2p_tcp_stun_inbound_connections_total', {
      label: 'address',
      help: 'Current active connections in TCP listener'
    })
    this.states = sharedGauge(metrics, 'libp2p_tcp_stun_listener_status_info', {
      label: 'address',
      help: 'Current status of the TCP listener socket: 1 listening, 2 paused'
    })
    this.errors = metrics?.registerCounterGroup('libp2p_tcp_stun_listener_errors_total', {
      label: 'address',
      help: 'Total count of TCP listener errors by type'
    })
    this.events = metrics?.registerCounterGroup('libp2p_tcp_stun_listener_events_total', {
      label: 'address',
      help: 'Total count of TCP listener events by type'
    })
  }

  /**
   * What the events of a connection begin with
   */
  get prefix (): string {
    return `${this.label} `
  }

  onListening (address: string, connections: number): void {
    this.label = address
    this.states?.set(this, { [address]: STATES.listening })
    this.connections?.set(this, { [address]: connections })
  }

  onPaused (): void {
    this.states?.set(this, { [this.label]: STATES.paused })
  }

  onConnections (count: number): void {
    this.connections?.set(this, { [this.label]: count })
  }

  onEvent (event: 'connection' | 'drop'): void {
    this.events?.increment({ [`${this.prefix}${event}`]: true })
  }

  onError (error: 'listen_error' | 'inbound_to_connection' | 'inbound_upgrade'): void {
    this.errors?.increment({ [`${this.prefix}${error}`]: true })
  }

  close (): void {
    this.states?.delete(this)
    this.connections?.delete(this)
  }
}
