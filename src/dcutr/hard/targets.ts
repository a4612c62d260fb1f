import { isGlobal } from '../../address/scope.ts'
import { isRelayed } from '../../connection/peers.ts'
import { toIPEndpoint, toMultiaddr } from '../../multiaddr/net-config.ts'
import { HardPunchError } from './errors.ts'
import type { Endpoint } from '../../address/endpoint.ts'
import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The endpoints of a peer that the connection gater does not deny
 *
 * @throws {HardPunchError} it denies all
 */
export async function allowedTargets (
  gater: ConnectionGater | undefined,
  peer: PeerId,
  remotes: Endpoint[]
): Promise<Endpoint[]> {
  if (await gater?.denyDialPeer?.(peer) === true) {
    throw new HardPunchError('denied', 'The connection gater denies the peer')
  }

  const denied = await Promise.all(
    remotes.map(async remote => gater?.denyDialMultiaddr?.(toMultiaddr(remote).encapsulate(`/p2p/${peer}`)))
  )
  const allowed = remotes.filter((_, i) => denied[i] !== true)

  if (allowed.length === 0) {
    throw new HardPunchError('denied', 'The connection gater denies the address')
  }

  return allowed
}

/**
 * The public IPv4 addresses that a peer announces as its own
 */
export function announcedHosts (addresses: Multiaddr[]): string[] {
  const hosts = addresses
    .filter(ma => !isRelayed({ remoteAddr: ma }))
    .flatMap(ma => toIPEndpoint(ma) ?? [])
    .filter(({ family, host }) => family === 4 && isGlobal(host))
    .map(({ host }) => host)

  return [...new Set(hosts)]
}
