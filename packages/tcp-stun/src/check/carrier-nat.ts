import { addressScope, isGlobal } from 'libp2p-tcp-stun/net'
import type { CarrierNAT, Findings } from './findings.ts'

/**
 * What is seen of a second NAT without asking anybody on the way: the carrier's
 * own addresses (RFC 6598), at this machine or in what a server inside the
 * carrier's network reports
 */
export function findCarrierNAT ({ local, direct, external, views, failures }: Pick<Findings, 'local' | 'direct' | 'external' | 'views' | 'failures'>): CarrierNAT {
  if (local != null && addressScope(local.host) === 'shared') {
    return { seen: 'yes', evidence: 'local-address', address: local.host }
  }

  // behind a first NAT, and still not on the internet
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
