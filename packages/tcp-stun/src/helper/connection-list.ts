import type { Connection, Libp2pEvents, PeerId } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'

interface Components {
  connectionManager: {
    getConnections(peer?: PeerId): Connection[]
  }
  events: TypedEventTarget<Libp2pEvents>
}

/**
 * libp2p lists all connections twice for each new one, and `getConnections()` of libp2p 3.3.11
 * copies the whole list once more for each peer: with 2 000 peers it copies 2 million
 * references each time. This service keeps the list, and copies each reference once.
 */
export function keptConnectionList (): (components: Components) => object {
  return ({ connectionManager, events }) => {
    const getConnections = connectionManager.getConnections.bind(connectionManager)
    const open = new Set<Connection>()
    events.addEventListener('connection:open', ({ detail }) => {
      // as libp2p: the remote peer may have closed it already
      if (detail.status === 'open') {
        open.add(detail)
      }
    })
    events.addEventListener('connection:close', ({ detail }) => { open.delete(detail) })
    connectionManager.getConnections = peer => peer == null ? [...open] : getConnections(peer)

    return {}
  }
}
