import { CODE_P2P, CODE_P2P_CIRCUIT } from '@multiformats/multiaddr'
import type { TCPSTUNComponents } from '../components.ts'
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The id of the peer that a multiaddr ends with, if it names one
 */
export function peerOf (ma: Multiaddr): string | undefined {
  return ma.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
}

/**
 * Whether a connection goes through a relay. Its `limits` do not tell: a relay may
 * set none.
 */
export function isRelayed ({ remoteAddr }: Pick<Connection, 'remoteAddr'>): boolean {
  return remoteAddr.getComponents().some(({ code }) => code === CODE_P2P_CIRCUIT)
}

/**
 * Whether there is a connection with a peer, and all of them go through relays
 */
export function isConnectedByRelayOnly (components: TCPSTUNComponents, peer: string): boolean {
  const connections =
    components.connectionManager?.getConnections().filter(({ remotePeer }) => remotePeer.toString() === peer) ?? []

  return connections.length > 0 && connections.every(connection => isRelayed(connection))
}
