import { Circuit } from '@multiformats/multiaddr-matcher'
import { toIPEndpoint } from 'libp2p-tcp-stun/multiaddr'
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

  /**
   * Its software as it says by identify, such as `rust-libp2p/0.57.0`
   */
  agent(): Promise<string | undefined>
}

export function senderOf (
  connection: Connection,
  isProxy: (host: string) => boolean,
  agentOf: (connection: Connection) => Promise<string | undefined>
): Sender {
  const { remotePeer: peer, remoteAddr } = connection
  // a relayed address begins with that of the relay
  const host = Circuit.matches(remoteAddr) ? undefined : toIPEndpoint(remoteAddr)?.host

  return { peer, hosts: host == null || isProxy(host) ? [] : [host], agent: async () => agentOf(connection) }
}
