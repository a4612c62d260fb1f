import { anySignal } from 'any-signal'
import { unmapIPv4 } from '../address/ip.ts'
import { isLoopback } from '../address/scope.ts'
import { DEFAULT_KEEP_ALIVE_INTERVAL, DEFAULT_MAPPING_TIMEOUT, NAT_MEMORY } from '../constants.ts'
import { externalOf } from '../mapping/status.ts'
import { contactedHosts } from '../net/contacted-hosts.ts'
import { systemClock } from '../runtime/clock.ts'
import { DEFAULT_STUN_SERVERS } from '../stun/default-servers.ts'
import { parseSTUNURI } from '../stun/uri.ts'
import { Announcer } from './announcer.ts'
import { holdMapping } from './mapping-holders.ts'
import { judgeNames } from './named-addresses.ts'
import { observedAddress } from './observed-address.ts'
import { StartedMapping } from './started-mapping.ts'
import { hasOtherAddress, isFromStranger } from './stranger.ts'
import type { ListenerStatuses } from './listener-statuses.ts'
import type { ListeningPort, ListeningPorts } from './listening-ports.ts'
import type { Reachability } from './reachability.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { TCPSTUNInit } from '../index.ts'
import type { PublicMapping } from '../mapping/mapping.ts'
import type { MappingStatus } from '../mapping/status.ts'
import type { Clock } from '../runtime/clock.ts'
import type { IdentifyResult, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

export interface ListenerMappingInit {
  options: TCPSTUNInit
  ports: ListeningPorts
  connections: ConnectionTable
  statuses: ListenerStatuses
  log: Logger

  /**
   * @default the system's
   */
  clock?: Clock

  /**
   * Another external address is announced than before, or none any more
   */
  onChange(): void
}

export interface StartOptions {
  /**
   * Ends the wait for the first result
   */
  signal: AbortSignal

  /**
   * Whether an earlier process may have listened on the same port
   */
  isFixed: boolean
}

/**
 * The public address of one listener: finds it, announces it, and tells the mapping
 * what peers observe
 */
export class ListenerMapping {
  private readonly components: TCPSTUNComponents
  private readonly init: ListenerMappingInit
  private readonly announcer: Announcer
  private readonly clock: Clock
  private started?: StartedMapping
  private closed = false

  constructor (components: TCPSTUNComponents, init: ListenerMappingInit) {
    this.components = components
    this.init = init
    this.clock = init.clock ?? systemClock
    this.announcer = new Announcer(components, {
      clock: this.clock,
      log: init.log,
      announce: init.options.announce ?? 'dialable',
      onAddress: init.onChange,
      onReachability: () => { this.report() }
    })
  }

  /**
   * The address that is announced
   */
  get external (): Multiaddr | undefined {
    return this.announcer.external
  }

  /**
   * Undefined before `start`, and where nothing is mapped
   */
  get current (): PublicMapping | undefined {
    return this.started?.mapping
  }

  /**
   * Begin the search, and wait for its first result, but not for long. This never
   * fails: the search goes on until `close()`.
   */
  async start (port: ListeningPort, { signal: shutdown, isFixed }: StartOptions): Promise<void> {
    const { stunServers = DEFAULT_STUN_SERVERS, mappingTimeout = DEFAULT_MAPPING_TIMEOUT } = this.init.options

    if (this.closed || (isLoopback(port.host) && !couldMapLoopback(stunServers))) {
      return
    }

    const mapping = await this.createMapping(port, stunServers)

    // meanwhile
    if (this.closed) {
      return
    }

    this.started = new StartedMapping(mapping, port, this.announcer, this.clock.now() + (isFixed ? NAT_MEMORY : 0))
    this.init.statuses.update(this.started)
    mapping.addEventListener('status', ({ detail }) => { this.onStatus(detail) })
    this.components.events?.addEventListener('peer:identify', this.onIdentify)

    // aborting ends the wait only
    const signal = anySignal([
      shutdown,
      mappingTimeout > 0 ? AbortSignal.timeout(Math.ceil(mappingTimeout)) : AbortSignal.abort()
    ])

    await mapping.start({ signal })
      .catch(err => { this.init.log('no public address within %d ms, the search goes on - %e', mappingTimeout, err) })
      .finally(() => { signal.clear() })
  }

  /**
   * libp2p is about to read whether the address is confirmed
   */
  refresh (): void {
    this.announcer.refresh()

    if (this.init.options.webSockets != null) {
      judgeNames(this.components.addressManager, this.announcer.external)
    }
  }

  /**
   * The listener has accepted a connection
   */
  onInbound ({ remoteAddress, localAddress }: Socket): void {
    const { external, reachability: { reachability } } = this.announcer
    const { started } = this
    const status = started?.mapping.status

    if (started == null || reachability === 'public' || external == null || status == null || !('local' in status)) {
      return
    }

    const { port, forgottenAt } = started
    const remote = unmapIPv4(remoteAddress ?? '')
    const isStranger = isFromStranger(
      { remote, local: unmapIPv4(localAddress ?? ''), isContacted: contactedHosts.has(port.port, remote) },
      { external: hostOf(external), local: hostOf(status.local) }
    )

    if (isStranger) {
      this.init.log.trace('%s has connected, a host that this port has not contacted', remote)
      const addresses = this.components.addressManager?.getAddressesWithMetadata() ?? []
      this.announcer.onStranger(this.clock.now() >= forgottenAt && !hasOtherAddress(addresses, external))
    }
  }

  /**
   * Withdraw the address and end all connections to STUN servers
   */
  async close (): Promise<void> {
    this.closed = true
    this.announcer.close()

    if (this.started != null) {
      this.init.statuses.delete(this.started)
    }

    this.components.events?.removeEventListener('peer:identify', this.onIdentify)
    await this.started?.mapping.stop()
  }

  /**
   * The code is loaded by the first listener that needs it
   */
  private async createMapping (port: ListeningPort, stunServers: string[]): Promise<PublicMapping> {
    const { PublicMapping } = await import('../mapping/mapping.ts')
    const {
      keepAliveInterval = DEFAULT_KEEP_ALIVE_INTERVAL,
      allowPrivateMapping = false,
      stunConnections,
      minReconnectInterval,
      tls,
      stunCredential
    } = this.init.options

    return new PublicMapping({
      listener: port,
      stunServers,
      stunConnections,
      keepAliveInterval,
      minReconnectInterval,
      allowPrivateMapping,
      tls,
      stunCredential,
      isHeld: () =>
        holdMapping(port, this.init.connections, { keepAlive: keepAliveInterval, allowPrivate: allowPrivateMapping })
    }, { logger: this.components.logger, metrics: this.components.metrics })
  }

  private readonly onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const observed = observedAddress(detail, this.init.ports, this.init.connections)

    if (observed != null && observed.port === this.started?.port) {
      this.started.mapping.observe(observed.host, observed.external)
    }
  }

  private onStatus (status: MappingStatus): void {
    if (this.closed) {
      return
    }

    this.announcer.update(externalOf(status), status.state === 'direct')
    this.report()
  }

  /**
   * Tell the application the status, and whether strangers can dial the address
   */
  private report (): void {
    if (this.started == null || this.closed) {
      return
    }

    const { mapping: { status }, port } = this.started
    this.init.ports.setOpen(port, isOpen(status, this.announcer.reachability))
    this.init.statuses.update(this.started)

    try {
      this.init.options.onMappingChange?.(this.started.status)
    } catch (err: any) {
      this.init.log.error('onMappingChange failed - %e', err)
    }
  }
}

function hostOf (address: Multiaddr): string {
  return address.getComponents()[0].value ?? ''
}

/**
 * Whether strangers can dial the port at its local address, as far as a status tells
 */
function isOpen ({ state }: MappingStatus, { reachability }: Reachability): boolean | undefined {
  switch (state) {
    case 'direct':
      return reachability === 'public'
    case 'mapped':
    case 'endpoint-dependent':
      return false
    default:
  }
}

/**
 * No NAT maps a loopback listener, so there is nothing to ask unless a server is on
 * loopback too
 */
function couldMapLoopback (servers: string[]): boolean {
  const hosts = servers.map(server => parseSTUNURI(server).host)

  return hosts.length === 0 || hosts.some(host => host === 'localhost' || isLoopback(host))
}
