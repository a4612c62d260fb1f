import { subnetOf } from '../address/ip.ts'

/**
 * What one operator has at least
 */
const NETWORK = { ipv4: 24, ipv6: 48 }

/**
 * No more networks are remembered
 */
const MAX_NETWORKS = 16

/**
 * This many networks are believed, and this many more for each that sees something
 * else
 */
const ENOUGH_NETWORKS = 3

/**
 * The address that a peer sees when it is dialled from the port
 */
export interface PeerView {
  /**
   * The IP address of the peer
   */
  host: string

  /**
   * The external address, as a string to compare
   */
  external: string
}

/**
 * Whether enough networks see this address. Peers are strangers: one network can
 * be one attacker.
 */
export function isSeenByPeers (views: PeerView[], external: string): boolean {
  const [seen, others] = partition(views, external)

  return outnumbers(seen, others)
}

/**
 * Whether a peer confirms the address that these hosts report: a host of another
 * address sees it too (RFC 5780, section 4.3), and not many more networks see
 * another one
 */
export function isConfirmedByPeers (views: PeerView[], external: string, hosts: string[]): boolean {
  const [seen, others] = partition(views, external)

  return seen.some(({ host }) => !hosts.includes(host)) && !outnumbers(others, seen)
}

/**
 * The peers that contradict an address, when there are enough to believe them
 */
export function peersAgainst (views: PeerView[], external: string): PeerView[] {
  const [seen, others] = partition(views, external)

  return outnumbers(others, seen) ? others : []
}

function partition (views: PeerView[], external: string): [seen: PeerView[], others: PeerView[]] {
  return [views.filter(view => view.external === external), views.filter(view => view.external !== external)]
}

function outnumbers (some: PeerView[], others: PeerView[]): boolean {
  return some.length >= ENOUGH_NETWORKS * (1 + others.length)
}

/**
 * The last view of each of the last networks, one of each network because one host
 * may have many addresses
 */
export class PeerViews {
  private views?: Map<string, PeerView>

  /**
   * @returns whether it is news
   */
  add (view: PeerView): boolean {
    const network = subnetOf(view.host, NETWORK)
    const views = this.views ?? new Map<string, PeerView>()
    const before = views.get(network)
    views.delete(network)
    views.set(network, view)

    if (views.size > MAX_NETWORKS) {
      views.delete([...views.keys()][0])
    }

    this.views = views

    return before?.external !== view.external || before.host !== view.host
  }

  /**
   * The address has changed: earlier views are not about the new one
   */
  clear (): void {
    this.views = undefined
  }

  list (): PeerView[] {
    return [...this.views?.values() ?? []]
  }
}
