import { formatEndpoint } from 'libp2p-tcp-stun/net'
import type { CheckReport, FamilyReport, Progress } from '../check/check.ts'
import type { ServerFailure } from '../check/findings.ts'

/**
 * What is going on, as a line of JSON; nothing for what the report has too
 */
export function progressToJSON (progress: Progress): object | undefined {
  switch (progress.event) {
    case 'findings': return undefined
    case 'answer': return { event: 'answer', version: progress.version, ...viewToJSON(progress.view) }
    case 'failure': return { event: 'failure', version: progress.version, ...failureToJSON(progress.failure) }
    case 'ended': return { event: 'ended', version: progress.version, ...progress.held, endpoint: formatEndpoint(progress.held.endpoint) }
    default: return progress
  }
}

/**
 * All that was found, which docs/check.md describes
 */
export function reportToJSON ({ verdict, families }: CheckReport, exitCode: number): object {
  const best = families.find(family => family.verdict.kind === verdict.kind)?.findings.external

  return {
    event: 'verdict',
    verdict: verdict.kind,
    because: 'because' in verdict ? verdict.because : undefined,
    external: best == null ? undefined : formatEndpoint(best),
    exitCode,
    families: families.map(familyToJSON)
  }
}

function familyToJSON ({ verdict, findings }: FamilyReport): object {
  const { version, addresses, port, local, external, direct, mapping, rewriting, carrier, hairpin, outside, views, failures, dissenters, held } = findings

  return {
    version,
    verdict: verdict.kind,
    because: 'because' in verdict ? verdict.because : undefined,
    addresses,
    port,
    local: local == null ? undefined : formatEndpoint(local),
    external: external == null ? undefined : formatEndpoint(external),
    nat: views.length === 0 ? undefined : !direct,
    mapping,
    portPreserved: external == null ? undefined : external.port === port,
    rewriting,
    carrierNAT: carrier,
    hairpin,
    outside: outside.outcome === 'failed' ? { outcome: 'failed', name: outside.error.name, message: outside.error.message } : outside,
    servers: views.map(viewToJSON),
    failures: failures.map(failureToJSON),
    dissenters: dissenters.map(({ server }) => server),
    held: held?.map(connection => ({ ...connection, endpoint: formatEndpoint(connection.endpoint) }))
  }
}

function viewToJSON ({ server, endpoint, external, roundTrip, software }: FamilyReport['findings']['views'][number]): object {
  return { server, endpoint: formatEndpoint(endpoint), external: formatEndpoint(external), roundTrip: Math.round(roundTrip), software }
}

function failureToJSON ({ server, error, mapped }: ServerFailure): object {
  return { server, name: error.name, message: error.message, mapped: mapped == null ? undefined : formatEndpoint(mapped) }
}
