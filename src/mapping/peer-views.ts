/**
 * More hosts need not be remembered
 */
const MAX_HOSTS = 16

/**
 * So many hosts must see another address, and none the same, before they outweigh
 * the one server that is asked: a peer is nobody in particular
 */
const HOSTS_AGAINST = 3

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
 * last view of each of the last hosts counts.
 */
export class PeerViews {
  private readonly views = new Map<string, string>()

  /**
   * @returns whether it is news
   */
  add ({ host, external }: PeerView): boolean {
    const isNews = this.views.get(host) !== external
    this.views.delete(host)
    this.views.set(host, external)

    if (this.views.size > MAX_HOSTS) {
      this.views.delete([...this.views.keys()][0])
    }

    return isNews
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

    return others.length === this.views.size && others.length >= HOSTS_AGAINST ? others : []
  }

  private list (): PeerView[] {
    return [...this.views].map(([host, external]) => ({ host, external }))
  }
}
