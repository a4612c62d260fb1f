import { serviceCapabilities, transportSymbol } from '@libp2p/interface'
import { TCP as TCPMatcher, Unix } from '@multiformats/multiaddr-matcher'
import { ConnectionTable } from './connection/connection-table.ts'
import { CONNECTION_LOG, DEFAULT_MAX_LINGERING_DIALS, LINGER_TIME } from './constants.ts'
import { Dialer } from './dial/dialer.ts'
import { DialerMetrics } from './dial/metrics.ts'
import { OutboundUpgrade } from './dial/outbound-upgrade.ts'
import { SocketOpener } from './dial/socket-opener.ts'
import { SourcePorts } from './dial/source-port.ts'
import { ListenerStatuses } from './listen/listener-statuses.ts'
import { TCPSTUNListener } from './listen/listener.ts'
import { ListeningPorts } from './listen/listening-ports.ts'
import { warnWithoutAddress } from './listen/no-address-warning.ts'
import { registerNATStatus } from './nat-status.ts'
import { LingeringDials } from './punch/lingering-dials.ts'
import { openSparePorts } from './punch/spare-port.ts'
import { AutoTLSCertificate } from './websockets/auto-tls.ts'
import type { TCPSTUNComponents } from './components.ts'
import type { TCPCreateListenerOptions, TCPDialEvents, TCPDialOptions, TCPSTUNInit } from './index.ts'
import type { ListenerInit } from './listen/listener.ts'
import type { SparePort, SparePorts } from './punch/spare-port.ts'
import type { AbortOptions, Connection, Listener, Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

export class TCPSTUN implements Transport<TCPDialEvents>, SparePorts {
  private readonly components: TCPSTUNComponents
  private readonly init: TCPSTUNInit
  private readonly ports = new ListeningPorts()
  private readonly connections = new ConnectionTable()
  private readonly statuses = new ListenerStatuses()
  private readonly logs: ListenerInit['logs']
  private readonly dialer: Dialer
  private readonly autoTLS?: AutoTLSCertificate

  constructor (components: TCPSTUNComponents, init: TCPSTUNInit = {}) {
    const { portReuse = true, maxLingeringDials: limit = DEFAULT_MAX_LINGERING_DIALS } = init
    const { ports, connections } = this
    const metrics = new DialerMetrics(components.metrics)
    const lingering = new LingeringDials({ limit, time: LINGER_TIME })
    const sockets = new SocketOpener(components, { ports, lingering, metrics, socketOptions: init.dialOpts })
    const sourcePorts = new SourcePorts(components, { ports, connections, portReuse })
    const upgrade = new OutboundUpgrade(components, {
      connections,
      metrics,
      inactivityTimeout: init.outboundSocketInactivityTimeout
    })

    this.components = components
    this.init = init
    warnWithoutAddress(this.statuses)
    this.logs = {
      listener: components.logger.forComponent('libp2p:tcp-stun:listener'),
      connection: components.logger.forComponent(CONNECTION_LOG)
    }

    if (init.webSockets != null && init.webSockets !== false) {
      this.autoTLS = new AutoTLSCertificate(components)
    }

    if (components.peerId != null) {
      registerNATStatus(components.peerId, this.statuses)
    }

    this.dialer = new Dialer(components, { connections, sourcePorts, sockets, upgrade, metrics })
    ports.addEventListener('delete', ({ detail }) => { lingering.close(detail) })
  }

  readonly [transportSymbol] = true

  readonly [Symbol.toStringTag] = 'libp2p-tcp-stun'

  readonly [serviceCapabilities]: string[] = [
    '@libp2p/transport',
    '@libp2p/nat-traversal'
  ]

  async dial (ma: Multiaddr, options: TCPDialOptions): Promise<Connection> {
    return this.dialer.dial(ma, options)
  }

  async openSparePorts (options: Required<AbortOptions>): Promise<SparePort[]> {
    return openSparePorts(this.ports.list(), this.init, { ...options, log: this.logs.listener })
  }

  createListener (options: TCPCreateListenerOptions): Listener {
    const { init, ports, connections, statuses, logs, autoTLS } = this

    return new TCPSTUNListener(this.components, { init, options, ports, connections, statuses, logs, autoTLS })
  }

  /**
   * The addresses among these that can be listened on
   */
  listenFilter (multiaddrs: Multiaddr[]): Multiaddr[] {
    return multiaddrs.filter(ma => TCPMatcher.exactMatch(ma) || Unix.exactMatch(ma))
  }

  /**
   * The addresses among these that can be dialled
   */
  dialFilter (multiaddrs: Multiaddr[]): Multiaddr[] {
    return this.listenFilter(multiaddrs)
  }
}
