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
 * - `autonat`: AutoNAT has had the address dialled
 * - `no-nat`: it is an IPv4 address of this machine. An IPv6 one proves nothing, since
 * home routers filter IPv6 by default.
 */
export type Reachability =
  { reachability: 'unknown', reachabilitySource?: undefined } |
  { reachability: 'public', reachabilitySource: 'autonat' | 'no-nat' } |
  { reachability: 'private', reachabilitySource: 'autonat' }

/**
 * What the address manager says of an address
 */
export type Verification = Pick<NodeAddress, 'verified' | 'expires'>

export const UNKNOWN: Reachability = { reachability: 'unknown' }

/**
 * What is known before AutoNAT has said anything
 */
export function initialReachability (external: { host: string, isLocal: boolean }): Reachability {
  return external.isLocal && isIPv4(external.host) ? { reachability: 'public', reachabilitySource: 'no-nat' } : UNKNOWN
}

/**
 * The verdict of AutoNAT, if the address manager says something else of an address than
 * after our own last call. AutoNAT confirms an address, or withdraws it, and neither is
 * an event.
 */
export function findVerdict (before: Verification, now: Verification): Reachability | undefined {
  if (now.verified === before.verified && now.expires === before.expires) {
    return
  }

  return { reachability: now.verified ? 'public' : 'private', reachabilitySource: 'autonat' }
}
