/**
 * A [libp2p transport](https://libp2p.io/docs/transports-overview/) that gives a node
 * behind a NAT a public TCP address. It learns the address of its listening port from STUN
 * servers (RFC 8489 over TCP), keeps the NAT's mapping alive, announces the address once
 * strangers can dial it, and dials from the same port, so that holes can be punched. On the
 * wire it is plain TCP, so every libp2p implementation can dial such a node.
 *
 * It is a drop-in replacement for `@libp2p/tcp` with the same options. Where STUN, the NAT
 * or the platform cannot help, the node still has a TCP transport.
 *
 * @example
 *
 * ```TypeScript
 * import { createLibp2p } from 'libp2p'
 * import { tcpSTUN } from 'libp2p-tcp-stun'
 *
 * const node = await createLibp2p({
 *   addresses: { listen: ['/ip4/0.0.0.0/tcp/4001'] },
 *   transports: [
 *     tcpSTUN({
 *       stunServers: ['stun:stun.example.org', 'stuns:stun.example.net:5349'],
 *       onMappingChange: status => { console.info(status.state) }
 *     })
 *   ]
 * })
 *
 * console.info(node.getMultiaddrs())
 * ```
 *
 * @module libp2p-tcp-stun
 */

import { validateOptions } from './options.ts'
import { TCPSTUN } from './transport.ts'
import type { TCPSTUNComponents } from './components.ts'
import type { Reachability } from './listen/reachability.ts'
import type { MappingOptions } from './mapping/options.ts'
import type { DirectStatus, MappedStatus, MappingStatus } from './mapping/status.ts'
import type { STUNClientInit, STUNCredential } from './stun/client-init.ts'
import type { WebSocketsOptions } from './websockets/options.ts'
import type {
  CreateListenerOptions, DialTransportOptions, OutboundConnectionUpgradeEvents, Transport
} from '@libp2p/interface'
import type { Socket } from 'node:net'
import type { ProgressEvent } from 'progress-events'

/**
 * Stop accepting when there are too many connections, and accept again when there
 * are fewer
 */
export interface CloseServerOnMaxConnectionsOptions {
  /**
   * Accept again once there are fewer connections than this
   */
  listenBelow: number

  /**
   * Stop accepting once there are this many connections
   */
  closeAbove: number

  /**
   * Called when listening on the port again has failed. Each connection that closes
   * causes another attempt.
   */
  onListenError?(err: Error): void
}

/**
 * Options of every TCP socket, see the documentation of `node:net`
 */
export interface TCPSocketOptions {
  /**
   * @default true
   */
  noDelay?: boolean

  /**
   * @default true
   */
  keepAlive?: boolean

  /**
   * How long a connection is idle before it is probed, in ms; 0 leaves it to the system
   *
   * @default 0
   */
  keepAliveInitialDelay?: number

  /**
   * @default false
   */
  allowHalfOpen?: boolean
}

/**
 * The options of `@libp2p/tcp`
 */
export interface TCPOptions {
  /**
   * Close an accepted connection that is silent for this long, in ms; 0 never
   *
   * @default 120_000
   */
  inboundSocketInactivityTimeout?: number

  /**
   * Close a dialled connection that is silent for this long, in ms; 0 never
   *
   * @default 120_000
   */
  outboundSocketInactivityTimeout?: number

  /**
   * Refuse connections beyond this number
   *
   * @default Infinity
   */
  maxConnections?: number

  /**
   * Length of the system's queue of connections that are not accepted yet
   *
   * @default 511
   */
  backlog?: number

  /**
   * Stop listening while there are too many connections
   */
  closeServerOnMaxConnections?: CloseServerOnMaxConnectionsOptions

  /**
   * Options of every socket that is dialled. `localAddresses` are IP addresses of this
   * machine: a dial that does not leave from a listening port leaves from the first one of
   * the same IP version.
   */
  dialOpts?: TCPSocketOptions & { localAddresses?: string[] }

  /**
   * Options of every socket that is accepted
   */
  listenOpts?: TCPSocketOptions
}

/**
 * When the external address of a listener is confirmed to libp2p, which then announces it:
 *
 * - `dialable`: once strangers can dial it: a stranger has connected, or there is no NAT. A
 * node without AutoNAT cannot find that out, and confirms the address as soon as the STUN
 * servers agree
 * - `always`: as soon as the STUN servers agree, whatever AutoNAT says
 * - `never`: not by this transport
 *
 * An address that is not confirmed is tested by AutoNAT, and used for hole punching by
 * `libp2p-tcp-stun/dcutr`. See docs/announcing.md.
 */
export type Announce = 'dialable' | 'always' | 'never'

/**
 * The status of a listener's mapping and, if there is an external address, whether
 * strangers can dial it
 */
export type ListenerStatus =
  Exclude<MappingStatus, MappedStatus | DirectStatus> |
  MappedStatus & Reachability |
  DirectStatus & Reachability

export interface TCPSTUNInit extends TCPOptions, MappingOptions {
  /**
   * RFC 7064 URIs. `stun:` servers are asked over TCP, `stuns:` servers over TLS. A name
   * without a port is looked up as SRV `_stun._tcp` or `_stuns._tcp`; without such a
   * record the port is 3478 or 5349. With `[]` no server is asked.
   *
   * @default a list of public servers, `DEFAULT_STUN_SERVERS`
   */
  stunServers?: string[]

  /**
   * TLS options for `stuns:` servers, for example the `ca` of a private one
   */
  tls?: STUNClientInit['tls']

  /**
   * A name and a password for STUN servers that require them (RFC 8489, section 9.1). The
   * name is sent to all servers, the password to none.
   *
   * @default none
   */
  stunCredential?: STUNCredential

  /**
   * How long `listen()` waits for the first mapping, in ms; 0 does not wait. The
   * search continues after it returns.
   *
   * @default 2_000
   */
  mappingTimeout?: number

  /**
   * When the external address is announced, see `Announce`
   *
   * @default 'dialable'
   */
  announce?: Announce

  /**
   * Dial from the listening port, so that peers see the address that they can dial, and
   * both sides of a hole punch know each other's port. A dial that opens no NAT and no
   * filter leaves from a fresh port anyway. On a node with AutoNAT only hole punches leave
   * from the listening port, because a host that the port has contacted cannot test
   * whether strangers are admitted.
   *
   * @default true
   */
  portReuse?: boolean

  /**
   * How many dials from the listening port may keep connecting after they were given
   * up, so that a hole punch can use them. Each does so for 10 s at most.
   *
   * @default 16
   */
  maxLingeringDials?: number

  /**
   * Accept WebSocket connections and HTTP requests on the TCP port too. It needs the
   * package `ws`. To dial WebSocket addresses, add `@libp2p/websockets`.
   *
   * @default false
   */
  webSockets?: boolean | WebSocketsOptions

  /**
   * Called at every change of a listener's mapping or of its reachability.
   * `natStatus(node)` has the same, at any time.
   */
  onMappingChange?(status: ListenerStatus): void
}

export type TCPDialEvents =
  OutboundConnectionUpgradeEvents |
  ProgressEvent<'tcp:open-connection'>

export interface TCPDialOptions extends DialTransportOptions<TCPDialEvents>, TCPSocketOptions {
  /**
   * Our role in a hole punch, where both peers dial: DCUtR sets it. Not set means an
   * ordinary dial. A function is called once the socket is connected.
   */
  initiator?: boolean | (() => boolean)

  /**
   * Leave from a fresh port, and use no earlier dial to the address
   *
   * @default false
   */
  freshPort?: boolean

  /**
   * Leave from one of these ports, and not from that of a listener: for a hole punch
   */
  localPorts?: Array<{ host: string, port: number, family: 4 | 6 }>

  /**
   * A socket that a hole punch has connected to the address: it is upgraded, and no other
   * one opened
   */
  socket?: Socket
}

export interface TCPCreateListenerOptions extends CreateListenerOptions, TCPSocketOptions {

}

/**
 * The transport
 *
 * @throws {InvalidParametersError} an option is unknown or makes no sense, or a STUN
 * URI is invalid; the message names the option
 */
export function tcpSTUN (init: TCPSTUNInit = {}): (components: TCPSTUNComponents) => Transport<TCPDialEvents> {
  validateOptions(init)

  return (components) => new TCPSTUN(components, init)
}

export { natStatus } from './nat-status.ts'
export { DEFAULT_STUN_SERVERS } from './stun/default-servers.ts'
export * from './mapping/errors.ts'
export * from './stun/errors.ts'
export type * from './components.ts'
export type { NATStatusEvents } from './listen/listener-statuses.ts'
export type { Reachability } from './listen/reachability.ts'
export type { MappingOptions } from './mapping/options.ts'
export type { NATStatus, NodeWithTransport } from './nat-status.ts'
export type {
  AcquiringStatus, DirectStatus, EndpointDependentStatus, LostStatus, MappedStatus, MappingStatus, ServerFailure,
  UnsupportedStatus
} from './mapping/status.ts'
export type { CertificateFiles, PEMCertificate, WebSocketsOptions } from './websockets/options.ts'
