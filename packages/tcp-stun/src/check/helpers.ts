import { isIP } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { toNetConfig } from 'libp2p-tcp-stun/net'
import { systemDNS } from 'libp2p-tcp-stun/stun'
import { resolveServer } from 'libp2p-tcp-stun/stun'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { STUNURI } from 'libp2p-tcp-stun/stun'

/**
 * A peer that can be asked to dial, and its IP addresses
 */
export interface Helper {
  address: Multiaddr
  hosts: string[]
}

/**
 * The helpers that can be reached over one IP version: another one tells nothing
 * of this
 */
export async function findHelpers (version: 4 | 6, addresses: Multiaddr[], signal: AbortSignal): Promise<Helper[]> {
  const helpers = await Promise.all(addresses.map(async (address): Promise<Helper[]> => {
    const config = toNetConfig(address)

    if (config.type === 'unix' || (config.family ?? version) !== version) {
      return []
    }

    if (isIP(config.host) !== 0) {
      return [{ address, hosts: [config.host] }]
    }

    const hosts = await systemDNS.lookup(config.host, version, { signal }).catch(() => [])

    // a name without an address fails when it is dialled, which says so
    if (hosts.length === 0) {
      return [{ address, hosts }]
    }

    // a name may have addresses of the other version too
    const peer = /\/p2p\/[^/]+$/.exec(address.toString())?.[0] ?? ''

    return hosts.map(host => ({ address: multiaddr(`/ip${version}/${host}/tcp/${config.port}${peer}`), hosts: [host] }))
  }))

  return helpers.flat()
}

/**
 * The servers that are at a helper's address: when there are others, these are
 * better not asked before the helper has dialled
 */
export async function setApart (version: 4 | 6, servers: STUNURI[], helpers: Helper[], signal: AbortSignal): Promise<{ strangers: STUNURI[], others: STUNURI[] }> {
  if (helpers.length === 0) {
    return { strangers: [], others: servers }
  }

  const hosts = new Set(helpers.flatMap(({ hosts }) => hosts))
  const isStranger = await Promise.all(servers.map(async server => {
    const endpoints = await resolveServer(server, { family: version, signal }).catch(() => [])

    return endpoints.some(({ host }) => hosts.has(host))
  }))

  return {
    strangers: servers.filter((_, i) => isStranger[i]),
    others: servers.filter((_, i) => !isStranger[i])
  }
}
