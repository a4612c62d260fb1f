import type { Connection, PeerId } from '@libp2p/interface'

interface ConnectionManager {
  getConnections(peer?: PeerId): Connection[]
  getConnectionsMap(): { values(): Iterable<Connection[]> }
}

/**
 * libp2p lists all connections twice for each new one, and `getConnections()` of libp2p 3.3.11
 * copies the whole list once more for each peer: with 2 000 peers it copies 2 million
 * references each time. This service makes it copy each reference once.
 */
export function linearConnectionList (): (components: { connectionManager: ConnectionManager }) => object {
  return ({ connectionManager }) => {
    const getConnections = connectionManager.getConnections.bind(connectionManager)
    connectionManager.getConnections = peer =>
      peer == null ? [...connectionManager.getConnectionsMap().values()].flat() : getConnections(peer)

    return {}
  }
}
