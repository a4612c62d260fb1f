import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { nodeVerdict } from './node-text.ts'
import type { NodeReport } from '../check/ask-node.ts'
import type { CheckReport } from '../check/check.ts'
import type { FailedQuery, ServerView } from '../check/findings.ts'
import type { Progress } from '../check/progress.ts'
import type { FamilyReport } from '../check/verdict.ts'
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
export function reportToJSON ({ verdict, families, advice }: CheckReport, exitCode: number): object {
  const best = families.find(family => family.verdict.kind === verdict.kind)?.findings

  return {
    event: 'verdict',
    verdict: verdict.kind,
    because: 'because' in verdict ? verdict.because : undefined,
    external: toText(best?.external),
    exitCode,
    families: families.map(familyToJSON),
    advice
  }
}

/**
 * What a running node says of itself
 */
export function nodeToJSON (report: NodeReport, exitCode: number): object {
  return { event: 'node', verdict: nodeVerdict(report), ...report, exitCode }
}

function familyToJSON ({ verdict, findings }: FamilyReport): object {
  const {
    version, addresses, port, local, external, direct, mapping, rewriting, carrier, portMapping, distance, nat64,
    hairpin, dialed, dialBack, views, failures, dissenters, held
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
    portMapping: portMapping == null
      ? undefined
      : {
          ...portMapping,
          protocols: portMapping.protocols.map(each => ({ ...each, roundTrip: Math.round(each.roundTrip) }))
        },
    hops: distance,
    nat64: toText(nat64),
    hairpin,
    dialed: toText(dialed),
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
