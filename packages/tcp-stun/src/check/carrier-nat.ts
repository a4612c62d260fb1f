import { isIPv4 } from 'node:net'
import { addressScope, isGlobal } from 'libp2p-tcp-stun/net'
import type { CarrierNAT, Findings } from './findings.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * Look for a second NAT, without help from anybody on the way. Carriers use
 * addresses of their own (RFC 6598): one may be this machine's, or be reported by
 * a server inside the carrier's network.
 */
export function findCarrierNAT (
  { local, direct, external, views, failures }: Pick<Findings, 'local' | 'direct' | 'external' | 'views' | 'failures'>
): CarrierNAT {
  if (local != null && addressScope(local.host) === 'shared') {
    return { seen: 'yes', evidence: 'local-address', address: local.host }
  }

  // this is behind the first NAT, and not yet on the internet
  const mapped = [...views.map(({ external }) => external), ...failures.flatMap(({ mapped }) => mapped ?? [])]
  const inside = mapped.find(({ host }) => addressScope(host) === 'shared' && host !== local?.host)

  if (inside != null) {
    return { seen: 'yes', evidence: 'server-inside', address: inside.host }
  }

  if (direct && external != null && isGlobal(external.host)) {
    return { seen: 'no' }
  }

  return { seen: 'unknown' }
}

/**
 * The IPv4 address that a server reported for an IPv6 connection: a NAT64 (RFC
 * 6146) on the way translates to IPv4
 */
export function findNAT64 ({ version, failures }: Pick<Findings, 'version' | 'failures'>): Endpoint | undefined {
  return version === 6 ? failures.find(({ mapped }) => mapped != null && isIPv4(mapped.host))?.mapped : undefined
}
