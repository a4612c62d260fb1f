import { isIPv4 } from 'node:net'
import { addressScope, isGlobal } from 'libp2p-tcp-stun/net'
import type { CarrierNAT, Findings } from './findings.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

type Evidence =
  Pick<Findings, 'local' | 'direct' | 'external' | 'views' | 'failures' | 'portMapping' | 'distance'>

/**
 * Look for a second NAT. What addresses show counts most, then what the router says
 * of itself, then how far away the external address is.
 */
export function findCarrierNAT (evidence: Evidence): CarrierNAT {
  return fromAddresses(evidence) ?? fromRouter(evidence) ?? fromDistance(evidence) ?? { seen: 'unknown' }
}

/**
 * Carriers use addresses of their own (RFC 6598): one may be this machine's, or be
 * reported by a server inside the carrier's network
 */
function fromAddresses ({ local, direct, external, views, failures }: Evidence): CarrierNAT | undefined {
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
    return { seen: 'no', evidence: 'local-address' }
  }
}

/**
 * Compare the external address that the router reports with the one that servers
 * see. They see an address of the router also where it changes ports.
 */
function fromRouter ({ views, portMapping }: Evidence): CarrierNAT | undefined {
  const reported = portMapping?.protocols.flatMap(({ external }) => external === undefined ? [] : [external]) ?? []
  const seen = views.map(({ external }) => external.host)

  if (reported.length === 0 || seen.length === 0) {
    return
  }

  if (reported.some(host => host != null && seen.includes(host))) {
    return { seen: 'no', evidence: 'router-address' }
  }

  const address = reported.find(host => host != null)

  return address == null
    ? { seen: 'yes', evidence: 'router-without-address' }
    : { seen: 'yes', evidence: 'router-address', address }
}

function fromDistance ({ distance }: Evidence): CarrierNAT | undefined {
  if (distance != null) {
    return distance === 1 ? { seen: 'no', evidence: 'distance' } : { seen: 'yes', evidence: 'distance', hops: distance }
  }
}

/**
 * The IPv4 address that a server reported for an IPv6 connection: a NAT64 (RFC
 * 6146) on the way translates to IPv4
 */
export function findNAT64 ({ version, failures }: Pick<Findings, 'version' | 'failures'>): Endpoint | undefined {
  return version === 6 ? failures.find(({ mapped }) => mapped != null && isIPv4(mapped.host))?.mapped : undefined
}
