import { InvalidParametersError, peerDiscoverySymbol, serviceCapabilities } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { DEFAULT_TTL, MAX_NAMESPACE_LENGTH, namespaceLength } from '../protocol.ts'
import { DiscoveredPeers } from './discovered-peers.ts'
import { LookUp } from './look-up.ts'
import { OwnRecord } from './own-record.ts'
import { Sessions } from './sessions.ts'
import type { RendezvousClientComponents } from './components.ts'
import type { RendezvousClient, RendezvousClientEvents, RendezvousClientInit } from './index.ts'
import type { Logger, PeerDiscovery, Startable } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const DEFAULT_POLL_INTERVAL = 2_500

/**
 * How long a stop may take to unregister, in ms
 */
const UNREGISTER_TIMEOUT = 2_000

/**
 * Registers at several servers and reads from them, each on its own
 */
export class RendezvousClientService
  extends TypedEventEmitter<RendezvousClientEvents> implements RendezvousClient, Startable {
  readonly [Symbol.toStringTag] = '@tcp-stun/rendezvous-client'
  readonly [serviceCapabilities] = ['@libp2p/peer-discovery']

  private readonly log: Logger
  private readonly record: OwnRecord
  private readonly servers: Multiaddr[]
  private readonly sessions: Sessions
  private readonly lookUp?: LookUp
  private lifetime?: AbortController

  constructor (components: RendezvousClientComponents, init: RendezvousClientInit) {
    super()

    this.servers = init.servers.map(toMultiaddr)
    init.namespaces.forEach(checkNamespace)

    if ((init.servers.length === 0 && init.lookUp == null) || init.namespaces.length === 0) {
      throw new InvalidParametersError('A rendezvous client needs at least one server and one namespace')
    }

    this.log = components.logger.forComponent('libp2p:tcp-stun:rendezvous-client')
    this.record = new OwnRecord(components)
    const onFailure = (addresses: Multiaddr[], error: Error): void => {
      this.safeDispatchEvent('server:failed', { detail: { addresses, error } })
    }
    this.sessions = new Sessions({
      components,
      namespaces: [...new Set(init.namespaces)],
      ttl: init.ttl ?? DEFAULT_TTL,
      pollInterval: init.pollInterval ?? DEFAULT_POLL_INTERVAL,
      legacyRecords: init.legacyRecords ?? false,
      record: this.record,
      peers: new DiscoveredPeers(components, peer => { this.safeDispatchEvent('peer', { detail: peer }) }),
      log: this.log,
      onRegistered: event => { this.safeDispatchEvent('registered', { detail: event }) },
      onFailure: (addresses, error) => {
        this.lookUp?.onServerFailure()
        onFailure(addresses, error)
      }
    })
    this.lookUp = init.lookUp == null
      ? undefined
      : new LookUp({
        log: this.log,
        lookUp: init.lookUp,
        hasServers: () => this.sessions.size > 0,
        onServers: addresses => { this.use(addresses) },
        onFailure: error => { onFailure([], error) }
      })
  }

  get [peerDiscoverySymbol] (): PeerDiscovery {
    return this
  }

  start (): void {}

  /**
   * The node has its first addresses by now
   */
  afterStart (): void {
    const lifetime = new AbortController()
    this.lifetime = lifetime
    setMaxListeners(Infinity, lifetime.signal)
    this.record.start()
    this.use(this.servers)
    void this.lookUp?.run(lifetime.signal)
  }

  /**
   * While the connections are still there
   */
  async beforeStop (): Promise<void> {
    const signal = AbortSignal.timeout(UNREGISTER_TIMEOUT)
    setMaxListeners(Infinity, signal)
    this.record.stop()
    this.lifetime?.abort()
    await this.sessions.unregister(signal)
  }

  stop (): void {}

  private use (servers: Multiaddr[]): void {
    if (this.lifetime != null && !this.lifetime.signal.aborted) {
      this.sessions.update(servers, this.lifetime.signal)
    }
  }
}

function toMultiaddr (server: string | Multiaddr): Multiaddr {
  try {
    return multiaddr(server)
  } catch (err: any) {
    throw new InvalidParametersError(`The server ${server} is no multiaddr: ${err.message}`)
  }
}

function checkNamespace (namespace: string): void {
  const length = namespaceLength(namespace)

  if (length === 0 || length > MAX_NAMESPACE_LENGTH) {
    throw new InvalidParametersError(
      `A namespace has 1 to ${MAX_NAMESPACE_LENGTH} bytes of UTF-8, not ${length}: ${namespace.slice(0, 40)}`
    )
  }
}
