import { RecordType, dns as systemDNS } from '@multiformats/dns'
import { CODE_DNSADDR, CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import type { AbortOptions } from '@libp2p/interface'
import type { DNS } from '@multiformats/dns'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * A record may name another one, but not for ever
 */
export const MAX_DEPTH = 4

/**
 * A zone may have any number of records
 */
export const MAX_ADDRESSES = 32

export interface ResolveDNSAddrOptions extends AbortOptions {
  dns?: DNS

  /**
   * Whether what was answered before may be used again for its TTL
   *
   * @default true
   */
  cached?: boolean
}

/**
 * The addresses that a multiaddr like `/dnsaddr/bootstrap.libp2p.io` stands for, by
 * its TXT records
 *
 * @throws the DNS error when the records could not be read
 */
export async function resolveDNSAddr (
  address: Multiaddr,
  options: ResolveDNSAddrOptions = {},
  depth = 0
): Promise<Multiaddr[]> {
  const name = address.getComponents().find(({ code }) => code === CODE_DNSADDR)?.value

  if (name == null) {
    return [address]
  }

  if (depth === MAX_DEPTH) {
    return []
  }

  const records = (await lookUpDNSAddr(name, options)).slice(0, MAX_ADDRESSES)
  const wanted = peerIdOf(address)
  const resolved = await Promise.all(records
    // before the next question is asked
    .filter(record => wanted == null || [undefined, wanted].includes(peerIdOf(record)))
    .map(async record => resolveDNSAddr(record, options, depth + 1)))

  return resolved.flat().filter(each => wanted == null || peerIdOf(each) === wanted).slice(0, MAX_ADDRESSES)
}

/**
 * The multiaddrs in the TXT records of a name; records for other purposes are left out
 *
 * @throws the DNS error when the records could not be read
 */
export async function lookUpDNSAddr (
  name: string,
  { dns = systemDNS(), cached, signal }: ResolveDNSAddrOptions
): Promise<Multiaddr[]> {
  const { Answer } = await dns.query(`_dnsaddr.${name}`, { types: [RecordType.TXT], cached, signal })

  return Answer.flatMap(({ data }) => toMultiaddr(data))
}

function toMultiaddr (record: string): Multiaddr[] {
  const [, address] = /^\s*dnsaddr=(\S+)\s*$/.exec(record.replace(/["']/g, '')) ?? []

  try {
    return address == null ? [] : [multiaddr(address)]
  } catch {
    return []
  }
}

/**
 * The id of the peer that an address ends at
 */
export function peerIdOf (address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
}
