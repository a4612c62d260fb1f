import { subnetOf } from '../address/ip.ts'

/**
 * An operator has at least a network of this size
 */
const OPERATOR_PREFIX = { ipv4: 24, ipv6: 48 }

/**
 * More networks need not be remembered
 */
const MAX_NETWORKS = 16

/**
 * So many networks must see another address, and none the same, before they
 * outweigh the one server that is asked: a peer is nobody in particular
 */
const NETWORKS_AGAINST = 3

/**
 * How a peer that was connected to from the port sees it
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
 * What peers see, which are other endpoints than the STUN servers: together with
 * one server they can tell how the NAT maps (RFC 5780, section 4.3). Only the
 * last view of each of the last networks counts, for one host may have many
 * addresses.
 */
export class PeerViews {
  private readonly views = new Map<string, PeerView>()

  /**
   * @returns whether it is news
   */
  add (view: PeerView): boolean {
    const network = subnetOf(view.host, OPERATOR_PREFIX)
    const before = this.views.get(network)
    this.views.delete(network)
    this.views.set(network, view)

    if (this.views.size > MAX_NETWORKS) {
      this.views.delete([...this.views.keys()][0])
    }

    return before?.external !== view.external || before.host !== view.host
  }

  /**
   * The address has changed: what was seen before says nothing of the new one
   */
  clear (): void {
    this.views.clear()
  }

  /**
   * Whether a host that is none of these sees this address
   */
  confirm (external: string, others: string[]): boolean {
    return this.list().some(view => view.external === external && !others.includes(view.host))
  }

  /**
   * Those that see another address, when they are enough to believe them
   */
  against (external: string): PeerView[] {
    const others = this.list().filter(view => view.external !== external)

    return others.length === this.views.size && others.length >= NETWORKS_AGAINST ? others : []
  }

  private list (): PeerView[] {
    return [...this.views.values()]
  }
}
