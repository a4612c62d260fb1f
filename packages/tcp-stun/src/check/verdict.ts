import type { Findings } from './findings.ts'

/**
 * What peers can do:
 *
 * - `anyone`: everybody can dial, a stranger has done it
 * - `perhaps`: there is an address to dial, but no stranger has tried
 * - `punch`: they know where to dial, and get in once the node has dialled them
 * - `relay`: every peer is given another address, so there is none to tell them
 * - `nothing`: no server could be reached
 * - `unsupported`: this platform can not share a port
 */
export type Verdict =
  { kind: 'anyone' } |
  { kind: 'perhaps', because: PerhapsReason } |
  { kind: 'punch' } |
  { kind: 'relay' } |
  { kind: 'nothing', because: NothingReason } |
  { kind: 'unsupported' }

/**
 * - `not-asked`: no helper was named
 * - `helper-failed`: no helper could be asked
 * - `helper-known`: who came in was one that had been talked to from this port,
 * whom a NAT lets in where strangers are kept out
 * - `one-view`: a stranger did not get in, and with one server it is not known
 * whether peers are told the right address
 */
export type PerhapsReason = 'not-asked' | 'helper-failed' | 'helper-known' | 'one-view'

/**
 * - `no-address`: this machine has no address of this IP version
 * - `no-server`: no server is of this IP version
 * - `no-answer`: none could be asked
 */
export type NothingReason = 'no-address' | 'no-server' | 'no-answer'

/**
 * Best first
 */
const RANKS: Array<Verdict['kind']> = ['anyone', 'perhaps', 'punch', 'relay', 'nothing', 'unsupported']

/**
 * What the command exits with. 1 is for wrong flags and for what should not
 * happen.
 */
export const EXIT_CODES: Record<Verdict['kind'], number> = {
  anyone: 0,
  relay: 2,
  nothing: 3,
  unsupported: 4,
  perhaps: 5,
  punch: 6
}

/**
 * The verdict for one IP version
 */
export function findVerdict ({ addresses, views, failures, external, direct, mapping, outside }: Pick<Findings, 'addresses' | 'views' | 'failures' | 'external' | 'direct' | 'mapping' | 'outside'>): Verdict {
  if (external == null) {
    if (views.length > 0) {
      return { kind: 'relay' }
    }

    return { kind: 'nothing', because: failures.length > 0 ? 'no-answer' : addresses.length > 0 ? 'no-server' : 'no-address' }
  }

  switch (outside.outcome) {
    case 'reached':
      return outside.stranger ? { kind: 'anyone' } : { kind: 'perhaps', because: 'helper-known' }
    case 'not-reached':
      return direct || mapping === 'endpoint-independent' ? { kind: 'punch' } : { kind: 'perhaps', because: 'one-view' }
    case 'failed':
      return { kind: 'perhaps', because: 'helper-failed' }
    default:
      return { kind: 'perhaps', because: 'not-asked' }
  }
}

/**
 * Peers use the IP version that is best for them
 */
export function bestOf<T extends { verdict: Verdict }> (all: T[]): T | undefined {
  return [...all].sort((a, b) => RANKS.indexOf(a.verdict.kind) - RANKS.indexOf(b.verdict.kind))[0]
}
