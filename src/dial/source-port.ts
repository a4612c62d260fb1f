import { raceSignal } from 'race-signal'
import { isGlobal, isLoopback, isUnspecified } from '../address/scope.ts'
import { isConnectedByRelayOnly, isRelayed, peerOf } from '../connection/peers.ts'
import { hasAutoNATClient } from '../listen/autonat.ts'
import { portSharing } from '../net/port-sharing.ts'
import { findPunch } from '../punch/role.ts'
import { isOnLink, isOwnAddress, systemNetwork } from '../runtime/network.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { TCPDialOptions } from '../index.ts'
import type { ListeningPort, ListeningPorts } from '../listen/listening-ports.ts'
import type { IPEndpoint } from '../multiaddr/net-config.ts'
import type { Network } from '../runtime/network.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

type SourcePortOptions = Pick<TCPDialOptions, 'initiator'> & AbortOptions

export interface SourcePortsInit {
  ports: ListeningPorts
  connections: ConnectionTable

  /**
   * Whether to dial from listening ports at all
   */
  portReuse: boolean

  /**
   * @default the system's routes
   */
  network?: Network

  /**
   * Whether a host is in a network that this machine is in
   *
   * @default by the system's interfaces
   */
  isOnLink?(host: string): boolean
}

/**
 * Chooses the listening port that a dial leaves from.
 *
 * This helps only behind a NAT or a filter: peers then see the address that they can dial,
 * and the router admits them. Otherwise the dial leaves from a fresh port, as with
 * `@libp2p/tcp`: if two peers dial each other at the same time, both from their listening
 * ports, TCP makes one connection of the two dials, and go-libp2p and rust-libp2p do not
 * dial again when that fails.
 */
export class SourcePorts {
  private readonly components: TCPSTUNComponents
  private readonly init: SourcePortsInit
  private readonly network: Network

  constructor (components: TCPSTUNComponents, init: SourcePortsInit) {
    this.components = components
    this.init = init
    this.network = init.network ?? systemNetwork
  }

  /**
   * @param ma - the address that is dialled
   * @param remote - its numeric endpoint
   * @returns nothing when the dial should leave from a fresh port
   */
  async find (ma: Multiaddr, remote: IPEndpoint, options: SourcePortOptions): Promise<ListeningPort | undefined> {
    if (!this.init.portReuse || (options.initiator == null && this.needsFreshPort(ma, remote.host))) {
      return
    }

    const ports = this.init.ports.list().filter(({ family, port }) => {
      return family === remote.family && (port !== remote.port || !isOwnAddress(remote.host))
    })

    if (ports.length === 0 || portSharing() === 'unsupported') {
      return
    }

    const mayBeOpen = !isLoopback(remote.host) && !this.isOfPunch(ma, options)

    if (mayBeOpen && (this.init.isOnLink ?? isOnLink)(remote.host)) {
      return
    }

    // ask for the route only where the answer makes a difference
    const isRouteKnown = isLoopback(remote.host) ||
      ports.every(port => isUnspecified(port.host) && (!mayBeOpen || this.init.ports.isOpen(port) != null))
    const leavesFrom = isRouteKnown ? undefined : await raceSignal(this.network.localAddress(remote), options.signal)
    const port = chooseSourcePort(ports, remote.host, leavesFrom)

    return port != null && mayBeOpen && this.isOpen(port, leavesFrom) ? undefined : port
  }

  /**
   * Whether a hole punch may need the dial to leave from the listening port. The
   * one-sided dial of DCUtR is not one of a punch yet, but the punch adopts it.
   */
  private isOfPunch (ma: Multiaddr, { initiator }: SourcePortOptions): boolean {
    const peer = peerOf(ma)

    return initiator != null || findPunch(this.components, ma) != null ||
      (peer != null && isConnectedByRelayOnly(this.components, peer))
  }

  /**
   * Whether strangers can dial the port at the local address, so that a dial from it
   * opens nothing. As long as no STUN server has answered, a public IPv4 address
   * decides. An IPv6 one does not, since home routers filter IPv6.
   */
  private isOpen (port: ListeningPort, leavesFrom?: string): boolean {
    return this.init.ports.isOpen(port) ?? (port.family === 4 && leavesFrom != null && isGlobal(leavesFrom))
  }

  /**
   * A host that we have a direct connection with is dialled from a fresh port: when
   * AutoNAT dials back, the NAT of the peer that asked would admit the known port.
   *
   * If this node asks for such tests itself, every host is dialled from a fresh port: our
   * NAT may admit hosts that the listening port has contacted, so their tests would say
   * nothing about strangers.
   *
   * A peer that is connected by relays only is an exception. It may share its host
   * with another peer, behind one NAT, and is punched from the listening port.
   */
  private needsFreshPort (ma: Multiaddr, host: string): boolean {
    if (!hasAutoNATClient(this.components) && !this.isConnectedTo(host)) {
      return false
    }

    const peer = peerOf(ma)

    return peer == null
      ? findPunch(this.components, ma) == null || this.isConnectedTo(host)
      : !isConnectedByRelayOnly(this.components, peer)
  }

  private isConnectedTo (host: string): boolean {
    return this.init.connections.isConnectedTo(host) || this.components.connectionManager?.getConnections()
      .some(connection => !isRelayed(connection) && connection.remoteAddr.getComponents()[0]?.value === host) === true
  }
}

/**
 * The listening port to dial a host from: the one at the address that the system
 * would leave from, else one on loopback for a loopback host, else one that listens
 * on all addresses. There may be no route from any other address.
 *
 * @param ports - the listening ports of the host's IP version
 * @param host - the remote host
 * @param leavesFrom - the local address that the system would choose, if it is known
 */
export function chooseSourcePort (
  ports: ListeningPort[],
  host: string,
  leavesFrom?: string
): ListeningPort | undefined {
  return (
    ports.find(port => port.host === leavesFrom) ??
    ports.find(port => isLoopback(host) && isLoopback(port.host)) ??
    ports.find(port => isUnspecified(port.host))
  )
}
