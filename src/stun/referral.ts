import { isIP } from 'node:net'
import { isPrivateIp } from '@libp2p/utils'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * Why an endpoint that a server names (ALTERNATE-SERVER, OTHER-ADDRESS) must not
 * be connected to, nothing when it may: a server on the internet must not send
 * us to a host of our own network
 */
export function refuseReferral (named: Endpoint, by: Endpoint): string | undefined {
  if (isIP(named.host) !== isIP(by.host)) {
    return 'is of another address family'
  }

  if (named.port === 0) {
    return 'has no port'
  }

  if (isPrivateIp(named.host) === true && isPrivateIp(by.host) !== true) {
    return 'is a private address'
  }
}
