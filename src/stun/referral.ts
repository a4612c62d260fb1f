import { isIP } from 'node:net'
import { addressScope } from '../address/scope.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { AddressScope } from '../address/scope.ts'

/**
 * No host can be connected to at these
 */
const UNUSABLE = new Set<AddressScope | undefined>(['unspecified', 'multicast', 'reserved', undefined])

/**
 * Why an endpoint that a server names (ALTERNATE-SERVER, OTHER-ADDRESS) must not
 * be connected to; `undefined` when it may. A server can send its clients to the
 * internet or to the kind of network that it is in itself: a public server must
 * not make us connect to hosts of our own network.
 */
export function refuseReferral (named: Endpoint, by: Endpoint): string | undefined {
  if (isIP(named.host) !== isIP(by.host)) {
    return 'has another address family'
  }

  if (named.port === 0) {
    return 'has no port'
  }

  const scope = addressScope(named.host)

  if (UNUSABLE.has(scope)) {
    return `is ${scope === 'unspecified' ? 'an' : 'a'} ${scope} address`
  }

  if (scope !== 'global' && scope !== addressScope(by.host)) {
    return `is a ${scope} address, named by a server that has none`
  }
}
