import { pmpNat } from '@achingbrain/nat-port-mapper'
import { uPnPNAT } from '@libp2p/upnp-nat'
import type { UPnPNATInit } from '@libp2p/upnp-nat'

/**
 * The inner address of the laboratory's routers
 */
const GATEWAY = '192.168.1.1'

/**
 * `@libp2p/upnp-nat`, which speaks NAT-PMP too when it gets such a client
 *
 * @param protocol - the way to ask the router
 * @param autoConfirmAddress - whether its word counts, as it does without AutoNAT
 */
export function portForward (protocol: 'upnp' | 'nat-pmp', autoConfirmAddress: boolean): ReturnType<typeof uPnPNAT> {
  return uPnPNAT({
    autoConfirmAddress,
    initialGatewaySearchInterval: 1_000,
    initialGatewaySearchTimeout: 5_000,
    ...(protocol === 'nat-pmp' && { portMappingClient: natPMP(GATEWAY) })
  })
}

/**
 * A client of NAT-PMP in the form of one of UPnP
 */
function natPMP (gateway: string): UPnPNATInit['portMappingClient'] {
  return {
    async * findGateways () {
      yield pmpNat(gateway)
    },
    getGateway: async url => pmpNat(url.hostname)
  }
}
