import { once } from 'node:events'
import { createServer, isIP } from 'node:net'
import { InvalidParametersError } from '@libp2p/interface'
import { toMultiaddr } from 'libp2p-tcp-stun/multiaddr'
import { isUnspecified, isGlobal } from 'libp2p-tcp-stun/net'
import { localAddresses } from '../check/local-addresses.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
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
 * Where the certificate for browsers comes from
 */
export type CertificateKind = 'none' | 'own' | 'auto'

/**
 * An address of a TCP port, and its forms for browsers. One's own certificate is for names, since few are for an IP
 * address. AutoTLS has names for IP addresses: libp2p puts them into these addresses once it has them.
 */
export function withWebSockets (address: string, certificate: CertificateKind): string[] {
  if (!/\/tcp\/\d+$/.test(address)) {
    return [address]
  }

  const isCovered = certificate === (address.startsWith('/dns') ? 'own' : 'auto')

  return [address, `${address}/ws`, ...isCovered ? [`${address}/tls/ws`] : []]
}

/**
 * Without the hosts that peers must not contact, and with AutoTLS without IP addresses that have TLS and no name: no
 * certificate is for these
 */
export function announcedAddresses (addresses: Multiaddr[], isAuto: boolean, without: string[] = []): Multiaddr[] {
  return addresses.filter(address => {
    const [, host, rest] = /^\/ip[46]\/([^/]+)(.*)/.exec(address.toString()) ?? []

    return !without.includes(host) && !(isAuto && /^\/tcp\/\d+\/tls\/ws/.test(rest))
  })
}

/**
 * The same as multiaddrs, without hosts that peers must not contact
 */
export function publicAddresses (endpoint: Endpoint, externalIPs: string[], without: string[] = []): string[] {
  return publicEndpoints(endpoint, externalIPs)
    .filter(({ host }) => !without.includes(host))
    .map(endpoint => toMultiaddr(endpoint).toString())
}

/**
 * Whether AutoNAT can dial from these addresses
 *
 * @throws {InvalidParametersError} there are two of one IP version, or one is not of this machine
 */
export async function checkDialBackFrom (hosts: string[]): Promise<void> {
  if (new Set(hosts.map(isIP)).size < hosts.length) {
    throw new InvalidParametersError(
      `AutoNAT can dial back from one address of each IP version, not from ${hosts.join(' and ')}`
    )
  }

  for (const host of hosts) {
    const server = createServer().listen(0, host)

    await once(server, 'listening').catch(err => {
      throw new InvalidParametersError(`AutoNAT cannot dial back from ${host}: ${err.message}`)
    })
    server.close()
  }
}
