import { isSameEndpoint } from 'libp2p-tcp-stun/net'
import {
  STUNAlternateServerError, STUNCertificateError, STUNErrorResponseError, STUNProtocolError, STUNResolveError
} from 'libp2p-tcp-stun/stun'
import type { FailedQuery, Findings } from './findings.ts'

/**
 * Who can dial this node:
 *
 * - `anyone`: a stranger has dialled it
 * - `inconclusive`: there is a public address, but no test from outside has settled
 * whether strangers are admitted
 * - `hole-punching`: peers know where to dial, and are admitted once the node has
 * dialled them
 * - `relay`: every peer sees another address, so there is none to announce
 * - `no-address`: no server reported an address
 * - `unsupported`: this platform cannot share a port
 */
export type Verdict =
  { kind: 'anyone' } |
  { kind: 'inconclusive', because: InconclusiveReason } |
  { kind: 'hole-punching' } |
  { kind: 'relay' } |
  { kind: 'no-address', because: NoAddressReason } |
  { kind: 'unsupported' }

/**
 * - `not-asked`: no peer was named that could dial back
 * - `peer-failed`: no peer could be asked
 * - `peer-contacted`: the peer that dialled in has an address that this port had
 * contacted. Some NATs admit only those.
 * - `one-view`: a stranger was not admitted, and servers at only one address have
 * answered, so that peers may see another address
 * - `forward-failed`: a stranger was not admitted at the port that the router should
 * forward; nobody has tried the mapped port
 */
export type InconclusiveReason = 'not-asked' | 'peer-failed' | 'peer-contacted' | 'one-view' | 'forward-failed'

/**
 * - `no-network`: this machine has no address of this IP version
 * - `no-server`: no server has an address of this IP version
 * - `no-dns`: no name of a server could be resolved
 * - `nat64`: the servers have IPv4 addresses only, and are reached through a NAT64
 * - `refused`: every server that was reached answered with an error
 * - `unusable`: every server that was reached gave an answer, but none that is of use:
 * it is no STUN server, its certificate is not trusted, it reported an address that
 * nobody can dial
 * - `no-answer`: no server answered
 */
export type NoAddressReason = 'no-network' | 'no-server' | 'no-dns' | 'nat64' | 'refused' | 'unusable' | 'no-answer'

/**
 * What was found out about one IP version, and what that means
 */
export interface FamilyReport {
  findings: Findings
  verdict: Verdict
}

/**
 * Best first
 */
const RANKS: Array<Verdict['kind']> = ['anyone', 'inconclusive', 'hole-punching', 'relay', 'no-address', 'unsupported']

/**
 * The exit codes of the command. 1 is for wrong options and unexpected errors.
 */
export const EXIT_CODES: Record<Verdict['kind'], number> = {
  anyone: 0,
  relay: 2,
  'no-address': 3,
  unsupported: 4,
  inconclusive: 5,
  'hole-punching': 6
}

/**
 * The errors of servers that have sent something
 */
const ANSWERS = [STUNErrorResponseError, STUNProtocolError, STUNAlternateServerError, STUNCertificateError]

/**
 * The verdict for one IP version
 */
export function findVerdict (
  findings: Pick<
    Findings,
    'addresses' | 'views' | 'failures' | 'external' | 'direct' | 'mapping' | 'nat64' | 'dialed' | 'dialBack'
  >
): Verdict {
  const { views, external, direct, mapping, dialed, dialBack } = findings

  if (dialBack.outcome === 'reached' && dialBack.stranger) {
    return { kind: 'anyone' }
  }

  if (external == null) {
    return views.length > 0 ? { kind: 'relay' } : { kind: 'no-address', because: findReason(findings) }
  }

  switch (dialBack.outcome) {
    case 'reached':
      return { kind: 'inconclusive', because: 'peer-contacted' }
    case 'not-reached':
      if (dialed != null && !isSameEndpoint(dialed, external)) {
        return { kind: 'inconclusive', because: 'forward-failed' }
      }

      return direct || mapping === 'endpoint-independent'
        ? { kind: 'hole-punching' }
        : { kind: 'inconclusive', because: 'one-view' }
    case 'failed':
      return { kind: 'inconclusive', because: 'peer-failed' }
    default:
      return { kind: 'inconclusive', because: 'not-asked' }
  }
}

/**
 * Peers use the IP version that is best for them
 */
export function bestOf<T extends { verdict: Verdict }> (all: T[]): T | undefined {
  return [...all].sort((a, b) => RANKS.indexOf(a.verdict.kind) - RANKS.indexOf(b.verdict.kind))[0]
}

function findReason (
  { addresses, failures, nat64 }: Pick<Findings, 'addresses' | 'failures' | 'nat64'>
): NoAddressReason {
  if (failures.length === 0) {
    return addresses.some(({ scope }) => scope !== 'link-local') ? 'no-server' : 'no-network'
  }

  if (nat64 != null) {
    return 'nat64'
  }

  const resolved = failures.filter(({ error }) => !(error instanceof STUNResolveError))

  if (resolved.length === 0) {
    return 'no-dns'
  }

  if (resolved.every(({ error }) => error instanceof STUNErrorResponseError)) {
    return 'refused'
  }

  return resolved.every(isAnswered) ? 'unusable' : 'no-answer'
}

/**
 * Whether the server has sent anything, so that nothing is wrong with the way to it
 */
function isAnswered ({ error, mapped }: FailedQuery): boolean {
  return mapped != null || ANSWERS.some(type => error instanceof type)
}
