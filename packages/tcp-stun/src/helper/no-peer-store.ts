import type { Peer, PeerId, PeerStore } from '@libp2p/interface'

interface Components {
  peerId: PeerId
  peerStore: Pick<PeerStore, 'get' | 'merge' | 'patch'>
}

/**
 * libp2p stores the protocol of each stream that a peer opens, and the relay a tag for each
 * reservation, and both stay after the peer has left. A helper dials no peer by its id, and closes
 * no connection in favour of another, so nobody reads that. This service has libp2p store nothing
 * about others, and not look for them in the store when they leave.
 */
export function noPeerStore (): (components: Components) => object {
  return ({ peerId, peerStore }) => {
    const get = peerStore.get.bind(peerStore)
    peerStore.get = async (peer, options) => peerId.equals(peer) ? get(peer, options) : nothingAbout(peer)

    for (const method of ['merge', 'patch'] as const) {
      const store = peerStore[method].bind(peerStore)
      peerStore[method] = async (peer, data, options) =>
        peerId.equals(peer) ? store(peer, data, options) : nothingAbout(peer)
    }

    return {}
  }
}

function nothingAbout (id: PeerId): Peer {
  return { id, addresses: [], protocols: [], metadata: new Map(), tags: new Map() }
}
