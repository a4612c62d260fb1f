import { subnetOf } from '../address/ip.ts'
import { isGlobal } from '../address/scope.ts'
import { isSame } from './port-forward.ts'
import type { NodeAddress } from '../components.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Hosts in such a network may be behind the same NAT as we are, or in the same home
 */
const NEIGHBOURHOOD = { ipv4: 24, ipv6: 48 }

/**
 * A connection that a listener has accepted
 */
export interface InboundConnection {
  /**
   * The IP address that it comes from
   */
  remote: string

  /**
   * The IP address of this machine that it has arrived at
   */
  local: string

  /**
   * Whether the listener's port may have sent something to that host before
   */
  isContacted: boolean
}

/**
 * The hosts of a mapping: the IP address that the NAT has assigned, and the one that is
 * behind it
 */
export interface MappedHosts {
  external: string
  local: string
}

/**
 * Whether a connection shows that the NAT admits strangers. A NAT may admit every host
 * that the port has contacted; neighbours and hosts of this network may not have passed
 * the NAT; and what arrives at another address of this machine came by another way.
 */
export function isFromStranger (connection: InboundConnection, mapped: MappedHosts): boolean {
  return (
    isGlobal(connection.remote) &&
    !connection.isContacted &&
    connection.local === mapped.local &&
    subnetOf(connection.remote, NEIGHBOURHOOD) !== subnetOf(mapped.external, NEIGHBOURHOOD)
  )
}

/**
 * Whether peers may know another address of the node, for example one that a router has
 * forwarded by UPnP. The listener cannot tell which of them a stranger has dialled.
 */
export function hasOtherAddress (addresses: NodeAddress[], external: Multiaddr): boolean {
  return addresses.some(({ multiaddr, type, verified }) => {
    const isKnown = type === 'ip-mapping' || type === 'announce' || (type === 'observed' && verified)

    return isKnown && !isSame(multiaddr, external)
  })
}
