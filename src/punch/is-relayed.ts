import { CODE_P2P_CIRCUIT } from '@multiformats/multiaddr'
import type { Connection } from '@libp2p/interface'

/**
 * Whether a connection goes through a relay. Its `limits` do not tell: a relay may
 * set none.
 */
export function isRelayed ({ remoteAddr }: Pick<Connection, 'remoteAddr'>): boolean {
  return remoteAddr.getComponents().some(({ code }) => code === CODE_P2P_CIRCUIT)
}
