import { serviceCapabilities, transportSymbol } from '@libp2p/interface'
import { TCP as TCPMatcher, Unix } from '@multiformats/multiaddr-matcher'
import { ConnectionTable } from './connection/connection-table.ts'
import { DEFAULT_MAX_LINGERING_DIALS, LINGER_TIME } from './constants.ts'
import { Dialer } from './dial/dialer.ts'
import { DialerMetrics } from './dial/metrics.ts'
import { OutboundUpgrade } from './dial/outbound-upgrade.ts'
import { SocketOpener } from './dial/socket-opener.ts'
import { SourcePorts } from './dial/source-port.ts'
import { TCPSTUNListener } from './listen/listener.ts'
import { ListenerStatuses } from './listen/listener-statuses.ts'
import { ListeningPorts } from './listen/listening-ports.ts'
import { registerNATStatus } from './nat-status.ts'
import { EarlyDialer } from './punch/early-dialer.ts'
import { EarlyHolePunch } from './punch/early-hole-punch.ts'
import { LingeringDials } from './punch/lingering-dials.ts'
import type { TCPSTUNComponents } from './components.ts'
import type { TCPCreateListenerOptions, TCPDialEvents, TCPDialOptions, TCPSTUNInit } from './index.ts'
import type { ListenerInit } from './listen/listener.ts'
import type { Connection, Listener, Startable, Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

export class TCPSTUN implements Transport<TCPDialEvents>, Startable {
  private readonly components: TCPSTUNComponents
  private readonly init: TCPSTUNInit
  private readonly ports = new ListeningPorts()
  private readonly connections = new ConnectionTable()
  private readonly statuses = new ListenerStatuses()
  private readonly logs: ListenerInit['logs']
  private readonly dialer: Dialer
  private readonly earlyHolePunch?: EarlyHolePunch

  constructor (components: TCPSTUNComponents, init: TCPSTUNInit = {}) {
    const { portReuse = true, earlyHolePunch = true, maxLingeringDials: limit = DEFAULT_MAX_LINGERING_DIALS } = init
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
    this.logs = {
      listener: components.logger.forComponent('libp2p:tcp-stun:listener'),
      connection: components.logger.forComponent('libp2p:tcp-stun:listener:connection')
    }

    if (components.peerId != null) {
      registerNATStatus(components.peerId, this.statuses)
    }

    this.dialer = new Dialer(components, { connections, sourcePorts, sockets, upgrade, metrics })
    ports.addEventListener('delete', ({ detail }) => { lingering.close(detail) })

    // in a private network the first bytes of a connection are encrypted, so they do
    // not show who is the initiator
    if (portReuse && earlyHolePunch && components.connectionProtector == null) {
      const early = new EarlyDialer(components, {
        lingering,
        sourcePort: async (ma, remote, options) => sourcePorts.find(ma, remote, options),
        connect: (local, remote) => sockets.connectFrom(local, remote),
        upgrade: async (socket, ma, role, options) => upgrade.upgrade(socket, ma, role, options),
        onConnect: () => { metrics.onEvent('early_punch') }
      })
      this.earlyHolePunch = new EarlyHolePunch(components, async (ma, options) => early.dial(ma, options))
    }
  }

  readonly [transportSymbol] = true

  readonly [Symbol.toStringTag] = 'libp2p-tcp-stun'

  readonly [serviceCapabilities]: string[] = [
    '@libp2p/transport',
    '@libp2p/nat-traversal'
  ]

  start (): void {
    this.earlyHolePunch?.start()
  }

  stop (): void {
    this.earlyHolePunch?.stop()
  }

  async dial (ma: Multiaddr, options: TCPDialOptions): Promise<Connection> {
    return this.dialer.dial(ma, options)
  }

  createListener (options: TCPCreateListenerOptions): Listener {
    const { init, ports, connections, statuses, logs } = this

    return new TCPSTUNListener(this.components, { init, options, ports, connections, statuses, logs })
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
