import { isUnspecified, isGlobal, toMultiaddr } from 'libp2p-tcp-stun/net'
import { localAddresses } from '../check/local-addresses.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

const LIBP2P_PORT = 4001
const STUN_PORT = 3478

/**
 * A NAT that gives each port of a server another address is noticed by a client that can
 * ask two of them (RFC 5780)
 */
const OTHER_STUN_PORT = 3479

/**
 * Where the libp2p node listens by default: on all addresses of the families that the
 * machine has
 */
export function defaultListen (): Endpoint[] {
  return onAllAddresses(LIBP2P_PORT)
}

/**
 * Where the STUN server listens by default
 */
export function defaultSTUNListen (): Endpoint[] {
  return [...onAllAddresses(STUN_PORT), ...onAllAddresses(OTHER_STUN_PORT)]
}

function onAllAddresses (port: number): Endpoint[] {
  return [{ host: '0.0.0.0', port }, ...localAddresses(6).length > 0 ? [{ host: '::', port }] : []]
}

/**
 * The public addresses that clients reach an endpoint at: of this machine, or of the NAT
 * before it, which passes the same ports on
 */
export function publicEndpoints ({ host, port }: Endpoint, externalIPs: string[]): Endpoint[] {
  const version = host.includes(':') ? 6 : 4
  const local = isUnspecified(host) ? localAddresses(version).map(({ host }) => host) : [host]
  const external = externalIPs.filter(ip => ip.includes(':') === host.includes(':'))

  return [...new Set([...local.filter(isGlobal), ...external])].map(host => ({ host, port }))
}

/**
 * An address of a TCP port, and its forms for browsers. A certificate is for names: few are
 * for an IP address, and AutoTLS announces its own.
 */
export function withWebSockets (address: string, hasCertificate: boolean): string[] {
  if (!/\/tcp\/\d+$/.test(address)) {
    return [address]
  }

  const hasName = address.startsWith('/dns')

  return [address, `${address}/ws`, ...hasName && hasCertificate ? [`${address}/tls/ws`] : []]
}

/**
 * The same as multiaddrs
 */
export function publicAddresses (endpoint: Endpoint, externalIPs: string[]): string[] {
  return publicEndpoints(endpoint, externalIPs).map(endpoint => toMultiaddr(endpoint).toString())
}
