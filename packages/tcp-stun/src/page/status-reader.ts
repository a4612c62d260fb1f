import { CODE_IP4, CODE_IP6 } from '@multiformats/multiaddr'
import { isGlobal, isLoopback } from 'libp2p-tcp-stun/net'
import { nodeLine } from '../helper/node-example.ts'
import { transportOf, verdictOf } from './peer-kinds.ts'
import type { OutsideVisits } from './outside-visits.ts'
import type { CertificateStatus, HelperStatus, NATVerdict, PeersStatus, Reachability, Refusal } from './status.ts'
import type { Helper } from '../helper/options.ts'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * A status lists so many peers and namespaces. Peers may register as many as they like.
 */
const MAX_PEERS = 1_000
const MAX_NAMESPACES = 20
const MAX_HELPERS = 20

/**
 * A flood of requests reads the helper's state only so often, in ms
 */
const MAX_AGE = 500

const REACHES = ['public', 'local', 'loopback'] as const

type ConnectedPeer = Omit<NonNullable<PeersStatus['list']>[number], 'verdict'>

export interface StatusReaderInit {
  helper: Helper
  visits: OutsideVisits

  /**
   * The certificates for browsers that are in use now
   */
  certificates(): CertificateStatus[]
}

/**
 * Reads the state of a helper
 */
export class StatusReader {
  private readonly init: StatusReaderInit
  private readonly since = Date.now()

  /**
   * What a record says, for as long as the board has it
   */
  private readonly verdicts = new WeakMap<Uint8Array, NATVerdict>()

  /**
   * What does not change as long as a peer is connected
   */
  private readonly peers = new WeakMap<Connection, ConnectedPeer>()
  private latest?: HelperStatus
  private readAt = -Infinity

  constructor (init: StatusReaderInit) {
    this.init = init
  }

  /**
   * The state of now, or of half a second ago
   */
  read (): HelperStatus {
    const now = performance.now()

    if (this.latest == null || now - this.readAt >= MAX_AGE) {
      this.latest = this.readNow()
      this.readAt = now
    }

    return this.latest
  }

  /**
   * Read anew next time
   */
  forget (): void {
    this.latest = undefined
  }

  private readNow (): HelperStatus {
    const { helper, visits, certificates } = this.init
    const { node, stunServer, limits, access } = helper
    const { relay, board } = node.services
    const multiaddrs = node.getMultiaddrs().toSorted((a, b) => rank(a) - rank(b))
    const addresses = multiaddrs.map(String)
    const { namespaces, helpers } = board.contents.summary()
    const bySize = [...namespaces].sort(([, a], [, b]) => b - a)
    const peers = this.readPeers()

    return {
      state: node.status,
      id: node.peerId.toString(),
      since: this.since,
      addresses,
      node: nodeLine(addresses, stunServer.addresses, {
        networkKey: access.networkKey ? 'network.key' : undefined,
        credential: access.stunCredential ? 'stun.credential' : undefined
      }),
      access: { ...access },
      reachability: reachabilityOf(multiaddrs, visits.latest),
      certificates: certificates(),
      peers,
      board: {
        registrations: board.registrations,
        peers: board.peers,
        waiting: board.waiting,
        store: board.storeState,
        namespaces: namespaces.size,
        largest: bySize.slice(0, MAX_NAMESPACES).map(([name, registrations]) => ({ name, registrations }))
      },
      usage: {
        reservations: { used: relay.reservations.size, max: limits.peers },
        connections: { used: node.getConnections().length, max: limits.connections },
        registrations: { used: board.registrations, max: limits.registrations },
        stun: { used: stunServer.counters.connections, max: limits.stunConnections }
      },
      relayedConnections: helper.circuits,
      bindings: stunServer.counters.bindings,
      refusals: refusalsOf(helper),
      helpers: [...helpers]
        .filter(([id]) => !node.peerId.equals(id))
        .slice(0, MAX_HELPERS)
        .map(([id, registrations]) => ({ id, registrations }))
    }
  }

  private readPeers (): PeersStatus {
    const { node, node: { services: { board } } } = this.init.helper
    const kinds = new Map<string, PeersStatus['kinds'][number]>()
    const list: PeersStatus['list'] = []
    const seen = new Set<string>()

    for (const connection of node.getConnections()) {
      const { id, address, transport } = this.peerOf(connection)

      // further connections of the same peer
      if (seen.has(id)) {
        continue
      }

      seen.add(id)
      const verdict = this.verdictOf(board.contents.recordOf(id))
      const kind = kinds.get(`${transport} ${verdict}`) ?? { transport, verdict, count: 0 }
      kind.count++
      kinds.set(`${transport} ${verdict}`, kind)

      if (list.length < MAX_PEERS) {
        list.push({ id, address, transport, verdict })
      }
    }

    return { connected: seen.size, kinds: [...kinds.values()].sort((a, b) => b.count - a.count), list }
  }

  private peerOf (connection: Connection): ConnectedPeer {
    const { remotePeer, remoteAddr } = connection
    const peer = this.peers.get(connection) ??
      { id: remotePeer.toString(), address: remoteAddr.toString(), transport: transportOf(remoteAddr) }
    this.peers.set(connection, peer)

    return peer
  }

  private verdictOf (record: Uint8Array | undefined): NATVerdict {
    if (record == null) {
      return 'unknown'
    }

    const verdict = this.verdicts.get(record) ?? verdictOf(record)
    this.verdicts.set(record, verdict)

    return verdict
  }
}

/**
 * What reaches furthest comes first
 */
function rank (address: Multiaddr): number {
  const [{ code, value = '' }] = address.getComponents()

  if (code !== CODE_IP4 && code !== CODE_IP6) {
    return REACHES.indexOf('public')
  }

  return REACHES.indexOf(isGlobal(value) ? 'public' : isLoopback(value) ? 'loopback' : 'local')
}

function reachabilityOf (addresses: Multiaddr[], latest: number | undefined): Reachability {
  if (latest != null) {
    return { kind: 'reached', latest }
  }

  const isPublic = addresses.some(address => rank(address) === REACHES.indexOf('public'))

  return { kind: isPublic ? 'not-reached-yet' : 'no-public-address' }
}

function refusalsOf (helper: Helper): Refusal[] {
  const { refused, refusedConnections, stunServer, node: { services: { board } } } = helper
  const answers = [board.counters.registered, board.counters.discovered]
  const statuses = new Set(answers.flatMap(counts => Object.keys(counts)).filter(status => status !== 'OK'))
  const sum = (status: string): number => answers.reduce((total, counts) => total + (counts[status] ?? 0), 0)

  return [
    ...counted('connection', refusedConnections),
    ...counted('relay', refused),
    ...counted('stun', stunServer.counters.refused),
    ...[...statuses].map((reason): Refusal => ({ by: 'board', reason, count: sum(reason) }))
  ].filter(({ count }) => count > 0)
}

function counted (by: Refusal['by'], counts: Readonly<Record<string, number>>): Refusal[] {
  return Object.entries(counts).map(([reason, count]) => ({ by, reason, count }))
}
