import { InvalidParametersError, peerDiscoverySymbol, serviceCapabilities } from '@libp2p/interface'
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter, setMaxListeners } from 'main-event'
import { DEFAULT_TTL, MAX_NAMESPACE_LENGTH, namespaceLength } from '../protocol.ts'
import { DiscoveredPeers } from './discovered-peers.ts'
import { OwnRecord } from './own-record.ts'
import { Session } from './session.ts'
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
  private readonly sessions: Session[]
  private lifetime?: AbortController

  constructor (components: RendezvousClientComponents, init: RendezvousClientInit) {
    super()

    const servers = groupByPeer(init.servers)
    init.namespaces.forEach(checkNamespace)

    if (servers.length === 0 || init.namespaces.length === 0) {
      throw new InvalidParametersError('A rendezvous client needs at least one server and one namespace')
    }

    this.log = components.logger.forComponent('libp2p:tcp-stun:rendezvous-client')
    this.record = new OwnRecord(components)
    const peers = new DiscoveredPeers(components, peer => { this.safeDispatchEvent('peer', { detail: peer }) })
    this.sessions = servers.map(addresses => new Session({
      components,
      addresses,
      namespaces: [...new Set(init.namespaces)],
      ttl: init.ttl ?? DEFAULT_TTL,
      pollInterval: init.pollInterval ?? DEFAULT_POLL_INTERVAL,
      legacyRecords: init.legacyRecords ?? false,
      record: this.record,
      peers,
      log: this.log,
      onRegistered: event => { this.safeDispatchEvent('registered', { detail: event }) },
      onFailure: (addresses, error) => { this.safeDispatchEvent('server:failed', { detail: { addresses, error } }) }
    }))
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
    this.sessions.forEach(session => { void session.run(lifetime.signal) })
  }

  /**
   * While the connections are still there
   */
  async beforeStop (): Promise<void> {
    const signal = AbortSignal.timeout(UNREGISTER_TIMEOUT)
    setMaxListeners(Infinity, signal)
    this.record.stop()
    this.lifetime?.abort()
    await Promise.allSettled(this.sessions.map(async session => session.unregister(signal)))
  }

  stop (): void {}
}

/**
 * The addresses of each server. Those without a peer id are a server each.
 */
function groupByPeer (servers: Array<string | Multiaddr>): Multiaddr[][] {
  const groups = new Map<string, Multiaddr[]>()

  for (const server of servers) {
    const address = toMultiaddr(server)
    const id = address.getComponents().findLast(({ code }) => code === CODE_P2P)?.value ?? address.toString()
    groups.set(id, [...groups.get(id) ?? [], address])
  }

  return [...groups.values()]
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
