import { portSharing } from 'libp2p-tcp-stun/net'
import { holdConnections } from './hold.ts'
import { measure } from './measure.ts'
import { bestOf, findVerdict } from './verdict.ts'
import type { Findings, ServerFailure, ServerView } from './findings.ts'
import type { HoldResult } from './hold.ts'
import type { LocalAddress } from './local-addresses.ts'
import type { Measurement } from './measure.ts'
import type { Verdict } from './verdict.ts'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { STUNURI } from 'libp2p-tcp-stun/stun'

export interface CheckInit {
  servers: STUNURI[]

  /**
   * How many servers must have answered: with more than there are all are asked
   */
  enough: number

  /**
   * AutoNAT v2 servers that are asked to dial
   */
  helpers: Multiaddr[]

  /**
   * The IP versions to check
   */
  versions: Array<4 | 6>

  /**
   * The local port, 0 for any
   */
  port: number

  /**
   * How long all but the holding may take, in ms
   */
  timeout: number

  /**
   * How long to hold the connections afterwards, in ms; 0 does not
   */
  hold: number

  /**
   * Believe a mapping to a private address
   */
  allowPrivate: boolean

  /**
   * Ends the check without a result, or the holding with what it has
   */
  signal: AbortSignal

  onProgress(progress: Progress): void
}

/**
 * What is going on, for each IP version in this order
 */
export type Progress = { version: 4 | 6 } & (
  { event: 'start', addresses: LocalAddress[], servers: string[], port?: number } |
  { event: 'answer', view: ServerView } |
  { event: 'failure', failure: ServerFailure } |
  { event: 'step', step: 'others' | 'hairpin' | 'outside' } |
  { event: 'findings', findings: Findings } |
  { event: 'hold', seconds: number } |
  { event: 'ended', held: HoldResult }
)

export interface FamilyReport {
  findings: Findings
  verdict: Verdict
}

export interface CheckReport {
  /**
   * The best of all IP versions
   */
  verdict: Verdict

  families: FamilyReport[]
}

/**
 * Find out what the NAT allows, for each IP version at once
 *
 * @throws the system's error when the port can not be listened on
 * @throws {AbortError} the signal was aborted before there was a result
 */
export async function check (init: CheckInit): Promise<CheckReport> {
  if (portSharing() === 'unsupported') {
    return { verdict: { kind: 'unsupported' }, families: [] }
  }

  const { versions, timeout, hold, signal } = init
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
  const settled = await Promise.allSettled(versions.map(async version => {
    const measurement = await measure(version, { ...init, deadline })
    init.onProgress({ event: 'findings', version, findings: measurement.findings })

    return measurement
  }))
  const measurements = settled.flatMap(result => result.status === 'fulfilled' ? [result.value] : [])

  try {
    const failed = settled.find(result => result.status === 'rejected')

    if (failed != null) {
      throw failed.reason
    }

    signal.throwIfAborted()

    if (hold > 0) {
      await Promise.all(measurements.map(async measurement => holdAll(measurement, init)))
    }
  } finally {
    measurements.forEach(({ asked }) => { asked.forEach(({ binding }) => { binding.close() }) })
  }

  const families = measurements.map(({ findings }) => ({ findings, verdict: findVerdict(findings) }))

  return { verdict: bestOf(families)?.verdict ?? { kind: 'nothing', because: 'no-server' }, families }
}

async function holdAll ({ findings, asked }: Measurement, { hold, signal, onProgress }: CheckInit): Promise<void> {
  if (asked.length > 0) {
    onProgress({ event: 'hold', version: findings.version, seconds: hold / 1_000 })
    findings.held = await holdConnections(asked, hold, signal, held => { onProgress({ event: 'ended', version: findings.version, held }) })
  }
}
