import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { DEFAULT_PORT, parseSTUNURI } from 'libp2p-tcp-stun/stun'
import type { DialBackResult } from '../check/dial-back.ts'
import type { CarrierNAT, FailedQuery, Findings, HoldResult } from '../check/findings.ts'
import type { MappingBehaviour } from '../check/mapping-behaviour.ts'
import type { AddressScope, Endpoint } from 'libp2p-tcp-stun/net'

/**
 * A line of the report: its subject, what was found, and how good that is
 */
export interface Line {
  label: string
  text: string
  tone: 'good' | 'bad' | 'plain'
}

const SCOPES: Record<AddressScope, string> = {
  loopback: 'this machine only',
  'link-local': 'this link only',
  private: 'private',
  shared: 'carrier network',
  documentation: 'for documentation only',
  benchmarking: 'for test networks only',
  multicast: 'multicast',
  unspecified: 'unspecified',
  reserved: 'reserved',
  global: 'public'
}

const MAPPINGS: Record<MappingBehaviour, string> = {
  'endpoint-independent': 'the same for every destination (endpoint-independent)',
  'address-dependent': 'changes with every destination host (address-dependent)',
  'address-and-port-dependent': 'changes with every destination (symmetric NAT, address-and-port-dependent)',
  'endpoint-dependent': 'differs from server to server (endpoint-dependent)',
  unknown: 'unknown: servers at two different addresses have to answer'
}

const REWRITING = {
  no: 'none: addresses inside the payload arrive unchanged',
  yes: 'yes: something on the way changes addresses inside the payload (an ALG)',
  unknown: 'unknown: the servers send nothing that would show it'
}

const HAIRPIN = {
  works: 'works: hosts inside can reach this one by its public address',
  fails: 'does not work: hosts inside cannot reach this one by its public address',
  'other-host': 'another host answers at the public address: is the port forwarded to it?',
  'not-asked': ''
}

/**
 * The addresses of this machine
 */
export function addressLine (addresses: Findings['addresses']): Line {
  const text = addresses.map(({ host, scope }) => `${host} (${SCOPES[scope]})`).join(', ')

  return { label: 'Local address', text: text === '' ? 'none' : text, tone: 'plain' }
}

/**
 * A server that gave no usable address, and what that means
 */
export function failureLine ({ server, error }: FailedQuery): Line {
  const text = error.message.includes(server) ? error.message : `${server}: ${error.message}`

  return { label: 'Failed', text, tone: 'bad' }
}

/**
 * All names that could not be resolved, in one line: they have one cause mostly
 */
export function unresolvedLine (failures: FailedQuery[]): Line {
  if (failures.length === 1) {
    return failureLine(failures[0])
  }

  const codes = new Set(failures.map(({ error }) => (error.cause as any)?.code ?? 'no address'))

  return {
    label: 'Failed',
    text: `the names of ${failures.length} servers could not be resolved (${[...codes].join(', ')}): ` +
      `${failures.map(({ server }) => server).join(', ')}`,
    tone: 'bad'
  }
}

/**
 * What all answers mean together
 */
export function findingLines (findings: Findings): Line[] {
  const {
    version, external, direct, port, mapping, rewriting, hairpin, carrier, nat64, dialBack, views, dissenters
  } = findings
  const lines: Line[] = []

  if (nat64 != null) {
    lines.push({
      label: 'NAT64',
      text: `yes: this network reaches IPv4 servers through a NAT64, which they see as ${formatEndpoint(nat64)}`,
      tone: 'plain'
    })
  }

  if (views.length === 0) {
    return lines
  }

  lines.push({
    label: 'NAT',
    text: direct ? 'none: the servers see the local address' : 'yes: your router translates addresses',
    tone: direct ? 'good' : 'plain'
  })

  if (!direct) {
    lines.push({
      label: 'Mapping',
      text: MAPPINGS[mapping],
      tone: external == null ? 'bad' : mapping === 'unknown' ? 'plain' : 'good'
    })
  }

  if (external != null && !direct) {
    lines.push({
      label: 'Port',
      text:
        external.port === port
          ? `kept: ${port} inside and outside`
          : `changed: ${port} inside, ${external.port} outside`,
      tone: 'plain'
    })
  }

  for (const { server, external } of dissenters) {
    lines.push({
      label: 'Disagrees',
      text: `${server} reports ${formatEndpoint(external)}; the other servers outvote it`,
      tone: 'bad'
    })
  }

  lines.push({ label: 'Rewriting', text: REWRITING[rewriting], tone: rewriting === 'yes' ? 'bad' : 'plain' })

  if (version === 4) {
    lines.push({ label: 'Carrier NAT', text: carrierText(carrier), tone: carrier.seen === 'yes' ? 'bad' : 'plain' })
  }

  if (hairpin !== 'not-asked') {
    lines.push({ label: 'Hairpin', text: HAIRPIN[hairpin], tone: hairpin === 'other-host' ? 'bad' : 'plain' })
  }

  lines.push(dialBackLine(dialBack))

  return lines
}

/**
 * The URI, with the endpoint where the URI does not tell it
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
    ? { label: 'Kept', text: `${name} for ${seconds} s, and still open`, tone: 'good' }
    : { label: 'Ended', text: `${name} after ${seconds} s: ${ended}`, tone: 'bad' }
}

function carrierText (carrier: CarrierNAT): string {
  switch (carrier.seen) {
    case 'yes':
      return carrier.evidence === 'local-address'
        ? `yes: carriers use addresses like the local one, ${carrier.address}`
        : `yes: a server inside the carrier's network sees ${carrier.address}`
    case 'no':
      return 'none: the local address is public'
    default:
      return 'none found, but it cannot be ruled out: compare the address above with the one that your router shows'
  }
}

function dialBackLine (dialBack: DialBackResult): Line {
  const label = 'From outside'

  switch (dialBack.outcome) {
    case 'reached':
      return dialBack.stranger
        ? { label, text: `a stranger dialled in: ${dialBack.peer}`, tone: 'good' }
        : { label, text: `${dialBack.peer} dialled in, but this port had contacted its host before`, tone: 'plain' }
    case 'not-reached':
      return { label, text: `a stranger could not dial in: ${dialBack.peer}`, tone: 'bad' }
    case 'failed':
      return { label, text: `not tested: ${dialBack.error.message}`, tone: 'bad' }
    default:
      return {
        label,
        text:
          dialBack.because === 'no-peer'
            ? 'not tested: no --helper was named'
            : 'not tested: there is no single address to dial',
        tone: 'plain'
      }
  }
}
