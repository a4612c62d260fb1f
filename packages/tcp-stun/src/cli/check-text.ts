import { addressScope, formatEndpoint, isSameEndpoint } from 'libp2p-tcp-stun/net'
import { DEFAULT_PORT, parseSTUNURI } from 'libp2p-tcp-stun/stun'
import type { CarrierNAT, FailedQuery, Findings, HoldResult, ServerView } from '../check/findings.ts'
import type { MappingBehaviour } from '../check/mapping-behaviour.ts'
import type { PortMapping } from '../check/port-mapping.ts'
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
  'link-local': 'link-local',
  private: 'private',
  shared: 'carrier-grade NAT',
  documentation: 'for documentation only',
  benchmarking: 'for test networks only',
  multicast: 'multicast',
  unspecified: 'unspecified',
  reserved: 'reserved',
  global: 'public'
}

const MAPPINGS: Record<MappingBehaviour, string> = {
  'endpoint-independent': 'the same for every destination (endpoint-independent)',
  'address-dependent': 'changes with every destination host (symmetric NAT, address-dependent)',
  'address-and-port-dependent': 'changes with every destination (symmetric NAT), and with every port of it',
  'endpoint-dependent': 'changes with every destination (symmetric NAT)',
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

  if (addresses.length > 0 && addresses.every(({ scope }) => scope === 'link-local')) {
    return { label: 'Local address', text: `only ${text}`, tone: 'plain' }
  }

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
  const servers = new Set(failures.map(({ server }) => server))
  const codes = new Set(failures.map(({ error }) => (error.cause as any)?.code ?? 'no address'))

  if (servers.size === 1) {
    return failureLine(failures[0])
  }

  return {
    label: 'Failed',
    text: `the names of ${servers.size} servers could not be resolved (${[...codes].join(', ')}): ` +
      `${[...servers].join(', ')}`,
    tone: 'bad'
  }
}

/**
 * What a server sees, and how long that took
 */
export function serverLine ({ server, endpoint, external, roundTrip }: ServerView): Line {
  return {
    label: 'Server',
    text: `${serverName(server, endpoint)} sees ${formatEndpoint(external)} (${milliseconds(roundTrip)})`,
    tone: 'plain'
  }
}

/**
 * What all answers mean together
 */
export function findingLines (findings: Findings): Line[] {
  const {
    version, external, direct, port, mapping, rewriting, hairpin, carrier, portMapping, nat64, views, dissenters
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

  // a firewall without a NAT is opened by hand
  if (portMapping != null && (version === 4 || portMapping.protocols.length > 0)) {
    lines.push(portMappingLine(portMapping))
  }

  if (hairpin !== 'not-asked') {
    lines.push({ label: 'Hairpin', text: HAIRPIN[hairpin], tone: hairpin === 'other-host' ? 'bad' : 'plain' })
  }

  lines.push(dialBackLine(findings))

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
      return secondNATText(carrier)
    case 'no':
      return carrier.evidence === 'local-address'
        ? 'none: the local address is public'
        : 'none: your router has the public address'
    default:
      return 'none found, but it cannot be ruled out: compare the address above with the one that your router shows'
  }
}

function secondNATText (carrier: CarrierNAT & { seen: 'yes' }): string {
  switch (carrier.evidence) {
    case 'local-address':
      return `yes: the local address ${carrier.address} is one of carrier-grade NAT`
    case 'server-inside':
      return `yes: a server inside the carrier's network sees ${carrier.address}, an address of carrier-grade NAT`
    case 'router-address':
      return addressScope(carrier.address) === 'shared'
        ? `yes: your router has ${carrier.address}, an address of carrier-grade NAT`
        : `yes: your router has ${carrier.address}, so there is a second NAT (or a VPN) behind it`
    case 'router-without-address':
      return 'yes: your router reports that it has no public address'
    default:
      return `yes: another router, ${carrier.hops} hops away, has the public address`
  }
}

function portMappingLine ({ gateway, protocols }: PortMapping): Line {
  const label = 'Port mapping'
  const names = protocols.map(({ name, roundTrip }) => `${name} (${milliseconds(roundTrip)})`)

  return names.length > 0
    ? { label, text: `${names.join(', ')} at ${gateway}`, tone: 'good' }
    : { label, text: `none: ${gateway} answers to neither UPnP, NAT-PMP nor PCP`, tone: 'plain' }
}

/**
 * In one word, so that no line breaks in it
 */
function milliseconds (ms: number): string {
  return ms < 1 ? '<1ms' : `${Math.round(ms)}ms`
}

function dialBackLine ({ dialBack, dialed, external }: Findings): Line {
  const label = 'From outside'
  const isForwarded = dialed != null && (external == null || !isSameEndpoint(dialed, external))
  const at = isForwarded ? ` at ${formatEndpoint(dialed)}` : ''

  switch (dialBack.outcome) {
    case 'reached':
      return dialBack.stranger
        ? { label, text: `a stranger dialled in${at}: ${dialBack.peer}`, tone: 'good' }
        : {
            label,
            text: `${dialBack.peer} dialled in${at}, but this port had contacted its host before`,
            tone: 'plain'
          }
    case 'not-reached':
      return { label, text: `blocked: a stranger could not dial in${at}: ${dialBack.peer}`, tone: 'bad' }
    case 'failed':
      return { label, text: `not tested: ${dialBack.error.message}`, tone: 'bad' }
    default:
      return {
        label,
        text: dialBack.because === 'no-peer'
          ? 'not tested: neither --helper nor --peer was named'
          : 'no stable address to test',
        tone: 'plain'
      }
  }
}
