import type { Findings } from './findings.ts'
import type { FamilyReport, InconclusiveReason } from './verdict.ts'

/**
 * Something that the user can do:
 *
 * - `second-server`: name a STUN server at another address
 * - `test-outside`: name a peer that dials in
 * - `open-firewall`: there is no NAT, only a firewall
 * - `use-upnp`: the router maps ports by UPnP, so the node can ask it to
 * - `hole-punching`, `relay`: what the node needs where strangers are kept out
 * - `turn-on-upnp`, `forward-port`: what can be set in the router
 * - `ask-carrier`: for IPv6, or for an IPv4 address without its NAT
 */
export interface Advice {
  do: AdviceKind
  version: 4 | 6
}

/**
 * The easiest first. A setting of the node is easier than one of the router, except
 * for a firewall: it has to be opened, and nothing else is missing.
 */
const KINDS = [
  'second-server',
  'test-outside',
  'open-firewall',
  'use-upnp',
  'hole-punching',
  'relay',
  'turn-on-upnp',
  'forward-port',
  'ask-carrier'
] as const

export type AdviceKind = typeof KINDS[number]

/**
 * What would help. Nothing, when strangers can dial by one IP version: peers use that
 * one.
 */
export function findAdvice (families: FamilyReport[]): Advice[] {
  if (families.some(({ verdict }) => verdict.kind === 'anyone')) {
    return []
  }

  const all = families.flatMap(family =>
    adviceFor(family).map(kind => ({ do: kind, version: family.findings.version })))
  const punches = all.some(({ do: kind }) => kind === 'hole-punching')
  // what the node needs is the same for both versions, and hole punching includes the relay
  const isFirst = (kind: AdviceKind, i: number): boolean => all.findIndex(other => other.do === kind) === i

  return all
    .filter(({ do: kind }, i) => isForVersion(kind) || isFirst(kind, i))
    .filter(({ do: kind }) => kind !== 'relay' || !punches)
    .sort((a, b) => KINDS.indexOf(a.do) - KINDS.indexOf(b.do) || b.version - a.version)
}

function isForVersion (kind: AdviceKind): boolean {
  return kind === 'open-firewall' || kind === 'forward-port'
}

function adviceFor ({ findings, verdict }: FamilyReport): AdviceKind[] {
  switch (verdict.kind) {
    case 'inconclusive':
      return inconclusive(findings, verdict.because)
    case 'hole-punching':
      return findings.direct
        ? ['open-firewall', 'hole-punching']
        : [...routerAdvice(findings), 'hole-punching']
    case 'relay':
      return [...routerAdvice(findings), 'relay']
    default:
      return []
  }
}

function inconclusive (findings: Findings, because: InconclusiveReason): AdviceKind[] {
  const seeSecond: AdviceKind[] = findings.mapping === 'unknown' && !findings.direct ? ['second-server'] : []

  switch (because) {
    case 'one-view':
      return seeSecond
    case 'forward-failed':
      return routerAdvice(findings).filter(kind => kind !== 'use-upnp')
    default:
      return [...seeSecond, 'test-outside']
  }
}

/**
 * What opens a port in the router. Behind a second NAT nothing does: the router has
 * no public port.
 */
function routerAdvice ({ version, carrier, portMapping }: Findings): AdviceKind[] {
  if (carrier.seen === 'yes') {
    return ['ask-carrier']
  }

  // UPnP maps ports of IPv4 only
  if (version === 6) {
    return ['forward-port']
  }

  const hasUPnP = portMapping?.protocols.some(({ name }) => name === 'UPnP') === true

  return hasUPnP ? ['use-upnp', 'forward-port'] : ['turn-on-upnp', 'forward-port']
}
