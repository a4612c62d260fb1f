import { formatEndpoint } from 'libp2p-tcp-stun/net'
import type { CheckReport, FamilyReport } from '../check/check.ts'
import type { FailedQuery, ServerView } from '../check/findings.ts'
import type { Progress } from '../check/progress.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * What is going on, as an object to print; `undefined` for what the report repeats
 */
export function progressToJSON (progress: Progress): object | undefined {
  switch (progress.event) {
    case 'findings':
      return undefined
    case 'answer':
      return { event: 'answer', version: progress.version, ...viewToJSON(progress.view) }
    case 'failure':
      return { event: 'failure', version: progress.version, ...failureToJSON(progress.failure) }
    case 'ended':
      return {
        event: 'ended',
        version: progress.version,
        ...progress.held,
        endpoint: formatEndpoint(progress.held.endpoint)
      }
    default:
      return progress
  }
}

/**
 * Everything that was found out. docs/check.md describes it.
 */
export function reportToJSON ({ verdict, families }: CheckReport, exitCode: number): object {
  const best = families.find(family => family.verdict.kind === verdict.kind)?.findings

  return {
    event: 'verdict',
    verdict: verdict.kind,
    because: 'because' in verdict ? verdict.because : undefined,
    external: toText(best?.external),
    exitCode,
    families: families.map(familyToJSON)
  }
}

function familyToJSON ({ verdict, findings }: FamilyReport): object {
  const {
    version, addresses, port, local, external, direct, mapping, rewriting, carrier, nat64, hairpin, dialBack,
    views, failures, dissenters, held
  } = findings

  return {
    version,
    verdict: verdict.kind,
    because: 'because' in verdict ? verdict.because : undefined,
    addresses,
    port,
    local: toText(local),
    external: toText(external),
    nat: views.length === 0 ? undefined : !direct,
    mapping,
    portPreserved: external == null ? undefined : external.port === port,
    rewriting,
    carrierNAT: carrier,
    nat64: toText(nat64),
    hairpin,
    dialBack:
      dialBack.outcome === 'failed'
        ? { outcome: 'failed', name: dialBack.error.name, message: dialBack.error.message }
        : dialBack,
    servers: views.map(viewToJSON),
    failures: failures.map(failureToJSON),
    dissenters: dissenters.map(({ server }) => server),
    held: held?.map(connection => ({ ...connection, endpoint: formatEndpoint(connection.endpoint) }))
  }
}

function viewToJSON ({ server, endpoint, external, roundTrip, software }: ServerView): object {
  return {
    server,
    endpoint: formatEndpoint(endpoint),
    external: formatEndpoint(external),
    roundTrip: Math.round(roundTrip),
    software
  }
}

function failureToJSON ({ server, error, mapped }: FailedQuery): object {
  return { server, name: error.name, message: error.message, mapped: toText(mapped) }
}

function toText (endpoint?: Endpoint): string | undefined {
  return endpoint == null ? undefined : formatEndpoint(endpoint)
}
