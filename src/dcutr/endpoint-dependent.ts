import { mappingsOf } from '../listen/public-mapping.ts'
import { toIPEndpoint } from '../multiaddr/net-config.ts'
import type { Listener } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The public address of a NAT whose mapping depends on the endpoint, where all servers
 * agree on its IP address. The port is that of the connection to one server, so others can
 * dial it only where the NAT admits everybody to it. But a router that filters by address
 * alone lets our SYN in when its host has sent a SYN to any port of ours.
 */
export function endpointDependentAddresses (listeners: Listener[]): Multiaddr[] {
  return mappingsOf(listeners).flatMap(({ status }) => {
    if (status.state !== 'endpoint-dependent' || status.isPooled) {
      return []
    }

    const addresses = status.addresses.map(({ external }) => external)
    const hosts = new Set(addresses.map(external => toIPEndpoint(external)?.host))

    return hosts.size === 1 ? addresses.slice(0, 1) : []
  })
}

/**
 * Whether our dial cannot meet one of the remote peer, which does not know the port that
 * ours has at the NAT. Then the dial is an ordinary one, and we are its initiator.
 */
export function cannotMeet (remote: Multiaddr, listeners: Listener[]): boolean {
  const family = toIPEndpoint(remote)?.family

  return endpointDependentAddresses(listeners).some(own => toIPEndpoint(own)?.family === family)
}
