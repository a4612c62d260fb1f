import { Circuit } from '@multiformats/multiaddr-matcher'
import { toIPEndpoint } from 'libp2p-tcp-stun/net'
import type { Connection, PeerId } from '@libp2p/interface'

/**
 * The peer that has sent a request
 */
export interface Sender {
  peer: PeerId

  /**
   * The IP address that it is connected from, unless others have it too
   */
  hosts: string[]
}

export function senderOf (
  { remotePeer: peer, remoteAddr }: Pick<Connection, 'remotePeer' | 'remoteAddr'>,
  isProxy: (host: string) => boolean
): Sender {
  // a relayed address begins with that of the relay
  const host = Circuit.matches(remoteAddr) ? undefined : toIPEndpoint(remoteAddr)?.host

  return { peer, hosts: host == null || isProxy(host) ? [] : [host] }
}
