import { isIP } from 'node:net'
import { CODE_DNSADDR, multiaddr } from '@multiformats/multiaddr'
import { TCP } from '@multiformats/multiaddr-matcher'
import { toNetConfig } from 'libp2p-tcp-stun/multiaddr'
import { resolveServer, systemDNS } from 'libp2p-tcp-stun/stun'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { STUNURI } from 'libp2p-tcp-stun/stun'

/**
 * A peer to ask for a dial back, and its IP addresses
 */
export interface DialBackPeer {
  address: Multiaddr
  hosts: string[]
}

/**
 * The peers that have an address of this IP version, with that address
 */
export async function resolvePeers (
  version: 4 | 6,
  addresses: Multiaddr[],
  signal: AbortSignal
): Promise<DialBackPeer[]> {
  const resolved = await Promise.all(addresses.map(async address => withoutDNSAddr(address, signal)))
  const peers = await Promise.all(resolved.flat().map(async (address): Promise<DialBackPeer[]> => {
    if (isDNSAddr(address)) {
      return [{ address, hosts: [] }]
    }

    const config = toNetConfig(address)

    if (config.type === 'unix' || (config.family ?? version) !== version) {
      return []
    }

    if (isIP(config.host) !== 0) {
      return [{ address, hosts: [config.host] }]
    }

    const hosts = await systemDNS.lookup(config.host, version, { signal }).catch(() => [])

    // keep a name that has no address: dialling it fails with the reason
    if (hosts.length === 0) {
      return [{ address, hosts }]
    }

    // the name may have addresses of the other IP version too, so dial these
    const id = /\/p2p\/[^/]+$/.exec(address.toString())?.[0] ?? ''

    return hosts.map(host => ({ address: multiaddr(`/ip${version}/${host}/tcp/${config.port}${id}`), hosts: [host] }))
  }))

  return peers.flat()
}

/**
 * The TCP addresses behind a `/dnsaddr`. It is kept when there are none: dialling it
 * fails with the reason.
 */
async function withoutDNSAddr (address: Multiaddr, signal: AbortSignal): Promise<Multiaddr[]> {
  if (!isDNSAddr(address)) {
    return [address]
  }

  // few checks need it
  const { resolveDNSAddr } = await import('../dnsaddr.ts')
  const resolved = await resolveDNSAddr(address, { signal }).catch(() => [])
  const dialable = resolved.filter(address => TCP.exactMatch(address))

  return dialable.length > 0 ? dialable : [address]
}

function isDNSAddr (address: Multiaddr): boolean {
  return address.getComponents()[0].code === CODE_DNSADDR
}

/**
 * Find the STUN servers that share an IP address with a peer. The port must not
 * contact them before that peer has dialled back: a NAT with address-dependent
 * filtering would admit the peer then, and nobody else.
 */
export async function splitServers (
  version: 4 | 6,
  servers: STUNURI[],
  peers: DialBackPeer[],
  signal: AbortSignal
): Promise<{ atPeers: STUNURI[], elsewhere: STUNURI[] }> {
  if (peers.length === 0) {
    return { atPeers: [], elsewhere: servers }
  }

  const hosts = new Set(peers.flatMap(({ hosts }) => hosts))
  const isAtPeer = await Promise.all(servers.map(async server => {
    const endpoints = await resolveServer(server, { family: version, signal }).catch(() => [])

    return endpoints.some(({ host }) => hosts.has(host))
  }))

  return {
    atPeers: servers.filter((_, i) => isAtPeer[i]),
    elsewhere: servers.filter((_, i) => !isAtPeer[i])
  }
}
