import { isIPv4 } from 'node:net'
import type { NodeAddress } from '../components.ts'

/**
 * Whether strangers can dial the external address:
 *
 * - `unknown`: nobody has tried
 * - `public`: they can
 * - `private`: they cannot, so peers need a hole punch or a relay
 *
 * and how that is known:
 *
 * - `inbound`: a host has connected to which the port had never sent anything
 * - `autonat`: AutoNAT servers have dialled the address, or failed to
 * - `no-nat`: it is an IPv4 address of this machine. An IPv6 address proves nothing, since
 * home routers filter IPv6 by default.
 */
export type Reachability =
  { reachability: 'unknown', reachabilitySource?: undefined } |
  { reachability: 'public', reachabilitySource: 'inbound' | 'autonat' | 'no-nat' } |
  { reachability: 'private', reachabilitySource: 'autonat' }

/**
 * What is known of an external address
 */
export interface Evidence {
  known: Reachability

  /**
   * Whether a stranger has connected since the address was found, or found private
   */
  hasMetStranger: boolean
}

/**
 * What the address manager says of an address
 */
export type Verification = Pick<NodeAddress, 'verified' | 'expires'>

export const NO_EVIDENCE: Evidence = { known: { reachability: 'unknown' }, hasMetStranger: false }

/**
 * What is known before anybody has tried
 */
export function initialEvidence (external: { host: string, isLocal: boolean }): Evidence {
  return external.isLocal && isIPv4(external.host)
    ? { ...NO_EVIDENCE, known: { reachability: 'public', reachabilitySource: 'no-nat' } }
    : NO_EVIDENCE
}

/**
 * A stranger has connected, which is proof if nothing else is known. A verdict of AutoNAT
 * counts several networks, so only another verdict replaces it.
 *
 * @param evidence - what was known before
 * @param isConclusive - the stranger can only have dialled the external address
 */
export function afterStranger (evidence: Evidence, isConclusive: boolean): Evidence {
  const { known } = evidence

  return {
    known: known.reachability === 'unknown' && isConclusive
      ? { reachability: 'public', reachabilitySource: 'inbound' }
      : known,
    hasMetStranger: true
  }
}

/**
 * AutoNAT has confirmed the address, or withdrawn it.
 *
 * A confirmation alone proves nothing. The AutoNAT server may be a host that we have
 * contacted, which a NAT with address-dependent filtering admits. It may also lie: the
 * client of js-libp2p takes its word. So a stranger must have connected too, as an
 * honest server does when it dials.
 */
export function afterVerdict ({ known, hasMetStranger }: Evidence, isDialable: boolean): Evidence {
  if (!isDialable) {
    return { known: { reachability: 'private', reachabilitySource: 'autonat' }, hasMetStranger: false }
  }

  return known.reachability === 'public' || !hasMetStranger
    ? { known, hasMetStranger }
    : { known: { reachability: 'public', reachabilitySource: 'autonat' }, hasMetStranger }
}

/**
 * The verdict of AutoNAT, if the address manager says something else of an address than
 * after our own last call. AutoNAT confirms an address, or withdraws it, and neither is
 * an event.
 *
 * @returns whether the address can be dialled, or nothing without a new verdict
 */
export function findVerdict (before: Verification, now: Verification): boolean | undefined {
  return now.verified === before.verified && now.expires === before.expires ? undefined : now.verified
}
