import { LISTENER_LABEL } from '../metrics/listener-label.ts'
import { sharedGauge } from '../metrics/shared-gauge.ts'
import type { SharedGauge } from '../metrics/shared-gauge.ts'
import type { CounterGroup, Metrics } from '@libp2p/interface'

/**
 * As `@libp2p/tcp` numbers them
 */
const STATES = { listening: 1, paused: 2 }

/**
 * The metrics of one listener, labelled with its multiaddr. Each event has a counter of
 * its own, because a counter has one label. Gauges are taken back when the listener
 * closes.
 */
export class ListenerMetrics {
  /**
   * Also given to the connections
   */
  readonly events?: CounterGroup
  private readonly states?: SharedGauge
  private readonly connections?: SharedGauge
  private label = 'unknown'

  constructor (metrics?: Metrics) {
    this.connections = sharedGauge(metrics, 'libp2p_tcp_stun_inbound_connections_total', {
      label: LISTENER_LABEL,
      help: 'Current active connections in TCP listener'
    })
    this.states = sharedGauge(metrics, 'libp2p_tcp_stun_listener_status_info', {
      label: LISTENER_LABEL,
      help: 'Current status of the TCP listener socket: 1 listening, 2 paused'
    })
    this.events = metrics == null ? undefined : eventCounters(metrics, () => this.label)
  }

  /**
   * @param listener - its multiaddr, with the port that the system has chosen
   */
  onListening (listener: string, connections: number): void {
    this.label = listener
    this.states?.set(this, { [listener]: STATES.listening })
    this.connections?.set(this, { [listener]: connections })
  }

  onPaused (): void {
    this.states?.set(this, { [this.label]: STATES.paused })
  }

  onConnections (count: number): void {
    this.connections?.set(this, { [this.label]: count })
  }

  onEvent (event: ListenerEvent): void {
    this.events?.increment({ [event]: true })
  }

  close (): void {
    this.states?.delete(this)
    this.connections?.delete(this)
  }
}

/**
 * What a listener counts beside the events of its connections
 */
type ListenerEvent = 'connection' | 'drop' | 'listen_error' | 'inbound_to_connection_error' | 'inbound_upgrade_error'

/**
 * A counter for each event that occurs
 */
function eventCounters (metrics: Metrics, label: () => string): CounterGroup {
  const counters = new Map<string, CounterGroup>()
  const counterOf = (event: string): CounterGroup => {
    const counter = counters.get(event) ?? metrics.registerCounterGroup(`libp2p_tcp_stun_listener_${event}_total`, {
      label: LISTENER_LABEL,
      help: `How often a TCP listener or a connection that it has accepted had the event ${event}`
    })
    counters.set(event, counter)

    return counter
  }

  return {
    increment: values => {
      for (const [event, value] of Object.entries(values)) {
        // libp2p writes some events with an underscore in front
        counterOf(event.replace(/^_/, '')).increment({ [label()]: value })
      }
    },
    reset: () => { counters.forEach(counter => { counter.reset() }) }
  }
}
