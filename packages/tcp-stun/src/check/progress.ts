import type { FailedQuery, Findings, HoldResult, ServerView } from './findings.ts'
import type { LocalAddress } from './local-addresses.ts'

/**
 * What is going on. Each IP version has its events in this order.
 */
export type Progress = { version: 4 | 6 } & (
  { event: 'start', addresses: LocalAddress[], servers: string[], port?: number } |
  { event: 'answer', view: ServerView } |
  { event: 'failure', failure: FailedQuery } |
  { event: 'step', step: 'others' | 'hairpin' | 'dial-back' } |
  { event: 'findings', findings: Findings } |
  { event: 'hold', seconds: number } |
  { event: 'ended', held: HoldResult }
)
