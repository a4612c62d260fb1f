import { toIPEndpoint } from 'libp2p-tcp-stun/multiaddr'
import { isGlobal } from 'libp2p-tcp-stun/net'
import type { Connection, Libp2p } from '@libp2p/interface'

/**
 * Remembers when a host of the internet last connected: the only proof that it can
 */
export class OutsideVisits {
  private readonly node: Libp2p

  /**
   * In ms since 1970
   */
  latest?: number

  constructor (node: Libp2p) {
    this.node = node
    node.getConnections().forEach(connection => { this.look(connection) })
    node.addEventListener('connection:open', this.onOpen)
  }

  close (): void {
    this.node.removeEventListener('connection:open', this.onOpen)
  }

  private readonly onOpen = ({ detail }: CustomEvent<Connection>): void => { this.look(detail) }

  private look ({ direction, remoteAddr }: Connection): void {
    const host = toIPEndpoint(remoteAddr)?.host

    if (direction === 'inbound' && host != null && isGlobal(host)) {
      this.latest = Date.now()
    }
  }
}
