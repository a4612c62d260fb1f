import { TCP } from '@multiformats/multiaddr-matcher'
import { toMultiaddr } from '../address/endpoint.ts'
import { toIPEndpoint } from '../address/net-config.ts'
import { isGlobal } from '../address/scope.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * A peer may announce any number of addresses, of any host: this many are dialled
 */
const MAX_CANDIDATES = 3

/**
 * The addresses of a peer to punch a hole to: public TCP addresses with numeric
 * hosts. All of them are at one host of each IP version, so that a peer cannot make
 * this node dial many hosts.
 */
export function candidates (addresses: Multiaddr[]): Multiaddr[] {
  const found = new Map<string, Multiaddr>()
  let hosts: Record<number, string> = {}

  for (const ma of addresses) {
    const endpoint = TCP.exactMatch(ma) ? toIPEndpoint(ma) : undefined

    if (endpoint == null || !isGlobal(endpoint.host)) {
      continue
    }

    const { family, host, port } = endpoint
    hosts = { [family]: host, ...hosts }

    if (hosts[family] === host && found.size < MAX_CANDIDATES) {
      const address = toMultiaddr({ host, port })
      found.set(address.toString(), address)
    }
  }

  return [...found.values()]
}
