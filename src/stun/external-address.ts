import { isIP } from 'node:net'
import { unmapIPv4 } from '../address/ip.ts'
import { addressScope, isLoopback } from '../address/scope.ts'
import { InvalidMappedAddressError } from './errors.ts'
import type { Endpoint } from '../address/endpoint.ts'

export interface ExternalAddressOptions {
  /**
   * Accept private addresses, and loopback ones where the connection to the
   * server is on loopback too
   */
  allowPrivate: boolean

  /**
   * The local endpoint of the connection to the server
   */
  local: Endpoint
}

/**
 * Check a mapped address before anything is announced
 *
 * @throws {InvalidMappedAddressError} no peer could dial this address
 */
export function toExternalAddress (mapped: Endpoint, options: ExternalAddressOptions): Endpoint {
  const { allowPrivate, local } = options
  const host = unmapIPv4(mapped.host)
  const fail = (what: string): InvalidMappedAddressError =>
    new InvalidMappedAddressError(`The STUN server reported the address ${mapped.host} port ${mapped.port}: ${what}`)

  if (isIP(host) === 0 || isIP(host) !== isIP(unmapIPv4(local.host))) {
    throw fail(`not an IPv${isIP(unmapIPv4(local.host))} address`)
  }

  if (mapped.port === 0) {
    throw fail('port 0 cannot be dialled')
  }

  const scope = addressScope(host)

  switch (scope) {
    case 'global':
      break
    case 'unspecified':
    case 'multicast':
    case 'reserved':
    case undefined:
      throw fail(`no host can have this ${scope} address`)
    case 'loopback':
      if (!allowPrivate || !isLoopback(local.host)) {
        throw fail('a loopback address')
      }

      break
    default:
      if (!allowPrivate) {
        throw fail(
          `a ${scope} address: the server is not on the internet side of the NAT. Set allowPrivateMapping if that ` +
            'is what you want'
        )
      }
  }

  return { host, port: mapped.port }
}
