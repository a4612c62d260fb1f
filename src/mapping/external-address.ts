import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { isPrivateIp } from '@libp2p/utils'
import { InvalidMappedAddressError } from './errors.ts'
import type { Endpoint } from '../address/endpoint.ts'

const IPV4_MAPPED = '::ffff:'

/**
 * Nobody can be dialled at these, whatever a server says
 */
const unusable = new BlockList()
unusable.addSubnet('0.0.0.0', 8, 'ipv4')
unusable.addSubnet('224.0.0.0', 4, 'ipv4')
unusable.addSubnet('240.0.0.0', 4, 'ipv4')
unusable.addAddress('::', 'ipv6')
unusable.addSubnet('ff00::', 8, 'ipv6')

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

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
  const fail = (what: string): InvalidMappedAddressError => new InvalidMappedAddressError(`The STUN server reported the address ${mapped.host} port ${mapped.port}: ${what}`)

  if (isIP(host) === 0 || isIP(host) !== isIP(unmapIPv4(local.host))) {
    throw fail(`not an IPv${isIP(unmapIPv4(local.host))} address`)
  }

  if (mapped.port === 0) {
    throw fail('port 0 can not be dialled')
  }

  if (host.startsWith(IPV4_MAPPED) || unusable.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')) {
    throw fail('unspecified, multicast or reserved')
  }

  if (isLoopbackHost(host)) {
    if (!allowPrivate || !isLoopbackHost(local.host)) {
      throw fail('a loopback address')
    }
  } else if (isPrivateIp(host) === true && !allowPrivate) {
    throw fail('a private address: the server is not on the internet side of the NAT. Set allowPrivateMapping if that is what you want')
  }

  return { host, port: mapped.port }
}

/**
 * Whether an address is of this machine only, 127.0.0.0/8 or ::1
 */
export function isLoopbackHost (host: string): boolean {
  const unmapped = unmapIPv4(host)

  return isIP(unmapped) !== 0 && loopback.check(unmapped, isIPv6(unmapped) ? 'ipv6' : 'ipv4')
}

/**
 * Whether it stands for every address of this machine, 0.0.0.0 or ::
 */
export function isUnspecifiedHost (host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/**
 * A server that listens on `::` for both families sees ::ffff:1.2.3.4
 */
function unmapIPv4 (host: string): string {
  const v4 = host.toLowerCase().startsWith(IPV4_MAPPED) ? host.slice(IPV4_MAPPED.length) : host

  return isIPv4(v4) ? v4 : host
}
