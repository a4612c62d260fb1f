import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { DEFAULT_PORT, parseSTUNURI } from 'libp2p-tcp-stun/stun'
import type { FamilyReport } from '../check/check.ts'
import type { CarrierNAT, Findings } from '../check/findings.ts'
import type { HoldResult } from '../check/hold.ts'
import type { MappingBehaviour } from '../check/mapping-behaviour.ts'
import type { OutsideResult } from '../check/outside.ts'
import type { Verdict } from '../check/verdict.ts'
import type { AddressScope } from 'libp2p-tcp-stun/net'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * A line of the report: what it is about, what was seen, and how good that is
 */
export interface Line {
  label: string
  text: string
  tone: 'good' | 'bad' | 'plain'
}

const SCOPES: Record<AddressScope, string> = {
  loopback: 'this machine only',
  'link-local': 'this cable only',
  private: 'private',
  shared: 'of a carrier',
  documentation: 'for documentation',
  benchmarking: 'for benchmarks',
  multicast: 'multicast',
  unspecified: 'unspecified',
  reserved: 'reserved',
  global: 'public'
}

const MAPPINGS: Record<MappingBehaviour, string> = {
  'endpoint-independent': 'the same for every peer (endpoint-independent)',
  'address-dependent': 'another one for each host (address-dependent)',
  'address-and-port-dependent': 'another one for each port of each host (address-and-port-dependent)',
  'endpoint-dependent': 'differs from server to server (endpoint-dependent)',
  unknown: 'not known: two servers at different addresses must answer to tell'
}

const REWRITING = {
  no: 'none seen: addresses inside the payload arrive as they were sent',
  yes: 'yes: something on the way changes addresses inside the payload (an ALG)',
  unknown: 'not known: the servers send nothing that would show it'
}

const HAIRPIN = {
  works: 'works: hosts inside reach this one by its public address',
  fails: 'does not work: hosts inside do not reach this one by its public address',
  'other-host': 'somebody else answers at the public address: is the port forwarded?',
  'not-asked': ''
}

/**
 * What is known before any server has answered
 */
export function addressLine (addresses: Findings['addresses']): Line {
  const text = addresses.map(({ host, scope }) => `${host} (${SCOPES[scope]})`).join(', ')

  return { label: 'Local address', text: text === '' ? 'none' : text, tone: 'plain' }
}

/**
 * What all answers mean together
 */
export function findingLines (findings: Findings): Line[] {
  const { version, external, direct, port, mapping, rewriting, hairpin, carrier, outside, views, dissenters } = findings

  if (views.length === 0) {
    return []
  }

  const lines: Line[] = [
    { label: 'NAT', text: direct ? 'none: the servers see the local address' : 'yes: the servers see another address than the local one', tone: direct ? 'good' : 'plain' }
  ]

  if (!direct) {
    lines.push({ label: 'Mapping', text: MAPPINGS[mapping], tone: external == null ? 'bad' : mapping === 'unknown' ? 'plain' : 'good' })
  }

  if (external != null && !direct) {
    lines.push({ label: 'Port', text: external.port === port ? `kept: ${port} outside as inside` : `changed: ${port} inside is ${external.port} outside`, tone: 'plain' })
  }

  for (const { server, external } of dissenters) {
    lines.push({ label: 'Disagrees', text: `${server} says ${formatEndpoint(external)}, the others outvote it`, tone: 'bad' })
  }

  lines.push({ label: 'Rewriting', text: REWRITING[rewriting], tone: rewriting === 'yes' ? 'bad' : 'plain' })

  if (version === 4) {
    lines.push({ label: 'Carrier NAT', text: carrierText(carrier), tone: carrier.seen === 'yes' ? 'bad' : 'plain' })
  }

  if (hairpin !== 'not-asked') {
    lines.push({ label: 'Hairpin', text: HAIRPIN[hairpin], tone: hairpin === 'other-host' ? 'bad' : 'plain' })
  }

  lines.push(outsideLine(outside))

  return lines
}

/**
 * With the endpoint, when the URI does not say it
 */
export function serverName (server: string, endpoint: Endpoint): string {
  const { scheme, host, port = DEFAULT_PORT[scheme] } = parseSTUNURI(server)

  return host === endpoint.host && port === endpoint.port ? server : `${server} at ${formatEndpoint(endpoint)}`
}

/**
 * How long a server kept its connection
 */
export function heldLine ({ server, endpoint, seconds, ended }: HoldResult): Line {
  const name = serverName(server, endpoint)

  return ended == null
    ? { label: 'Kept', text: `${name} for ${seconds} s, and still does`, tone: 'good' }
    : { label: 'Ended', text: `${name} after ${seconds} s: ${ended}`, tone: 'bad' }
}

function carrierText (carrier: CarrierNAT): string {
  switch (carrier.seen) {
    case 'yes': return carrier.evidence === 'local-address'
      ? `yes: the local address ${carrier.address} is one that carriers use`
      : `yes: a server inside the carrier's network sees ${carrier.address}`
    case 'no': return 'none: the local address is public'
    default: return 'none seen, which does not mean that there is none: compare the address that your router says it has outside'
  }
}

function outsideLine (outside: OutsideResult): Line {
  const label = 'From outside'

  switch (outside.outcome) {
    case 'reached':
      return outside.stranger
        ? { label, text: `a stranger dialled in: ${outside.helper}`, tone: 'good' }
        : { label, text: `${outside.helper} dialled in, but this port had talked to that host before`, tone: 'plain' }
    case 'not-reached':
      return { label, text: `a stranger could not dial in: ${outside.helper}`, tone: 'bad' }
    case 'failed':
      return { label, text: `could not be asked: ${outside.error.message}`, tone: 'bad' }
    default:
      return { label, text: outside.because === 'no-helper' ? 'not asked: no --helper was given' : 'not asked: there is no one address to dial', tone: 'plain' }
  }
}

export interface VerdictText {
  title: string
  advice: string
}

/**
 * In plain words, and what to do about it
 */
export function verdictText (verdict: Verdict, families: FamilyReport[]): VerdictText {
  const best = families.find(family => family.verdict.kind === verdict.kind)?.findings
  const at = best?.external == null ? '' : ` at ${formatEndpoint(best.external)}`

  switch (verdict.kind) {
    case 'anyone':
      return {
        title: `Dialable by anyone${at}`,
        advice: 'A stranger has dialled in. There is nothing to do: a node on this port is a full peer, as long as its mapping is held, which the transport does.'
      }
    case 'perhaps':
      return perhapsText(verdict.because, at, best)
    case 'punch':
      return {
        title: `Dialable after a punch${at}`,
        advice: `${best?.direct === true ? 'There is no NAT, but a firewall keeps strangers out.' : 'Every peer is told the right address, but your NAT keeps strangers out.'} Peers get in by a hole punch (DCUtR), for which the node needs a relay to meet them on. To be dialable by anyone ${best?.direct === true ? 'open the port in your firewall' : 'forward the port in your router, or turn on UPnP'}.`
      }
    case 'relay':
      return {
        title: 'Only by relay',
        advice: `Your NAT gives every peer another address, so there is none to tell them, and a hole punch would aim at the wrong one. Forward a port in your router, turn on UPnP, or use a relay.${best?.version === 4 ? ' IPv6 has no such NAT: ask your carrier for it.' : ''}`
      }
    case 'nothing':
      return nothingText(verdict.because)
    default:
      return {
        title: 'This platform can not share a TCP port',
        advice: 'Nothing was asked: a listener and a STUN connection have to share one port, for which Linux is needed. The transport works here as @libp2p/tcp does.'
      }
  }
}

function perhapsText (because: (Verdict & { kind: 'perhaps' })['because'], at: string, findings?: Findings): VerdictText {
  const title = `Perhaps dialable by anyone${at}`
  const oneView = findings?.mapping === 'unknown' && !findings.direct ? ' Only servers at one address have answered, so it is not even known whether other peers see the same port: name a second one with --server.' : ''
  const ask = `name a machine outside with --helper, one that runs "tcp-stun helper", or with --peer any peer of libp2p that serves AutoNAT v2${because === 'helper-known' ? '; it must not be where your only --server is' : ''}`

  switch (because) {
    case 'helper-known':
      return { title, advice: `The helper got in, but this port had talked to its host before, and some NATs let in only those. To know, ${ask}.${oneView}` }
    case 'helper-failed':
      return { title, advice: `There is an address to dial, but the helper did not try it, for the reason above.${oneView}` }
    case 'one-view':
      return { title: `Not dialable by anyone${at}`, advice: `A stranger did not get in.${oneView} Then peers get in either after a punch or only by relay.` }
    default:
      return { title, advice: `There is an address to dial, but nobody outside has tried: ${findings?.direct === true ? 'a firewall' : 'your NAT'} may let in only those whom you have talked to, which STUN over TCP can not tell. To know, ${ask}.${oneView}` }
  }
}

function nothingText (because: (Verdict & { kind: 'nothing' })['because']): VerdictText {
  switch (because) {
    case 'no-address':
      return { title: 'No network', advice: 'This machine has no address that leads to the internet. Is it connected?' }
    case 'no-server':
      return { title: 'No server to ask', advice: 'None of the STUN servers has an address of the IP version that was asked for. Name one with --server.' }
    default:
      return { title: 'No STUN server could be asked', advice: 'Is there a way to the internet, and does no firewall stop TCP to port 3478? Many public servers speak UDP only: name one that speaks TCP with --server.' }
  }
}
