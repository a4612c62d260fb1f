/**
 * The parts of the `tcp-stun` command, for programs: check a NAT, run the helper
 * of a private network, run a STUN server in production.
 *
 * @example
 *
 * ```TypeScript
 * import { check } from 'tcp-stun'
 *
 * const { verdict } = await check({
 *   stunServers: ['stun:stun.example.org', 'stun:stun.example.net']
 * })
 *
 * console.info(verdict.kind)
 * ```
 *
 * @module tcp-stun
 */

export { askNode } from './check/ask-node.ts'
export { check } from './check/check.ts'
export { startHelper } from './helper/helper.ts'
export { createSTUNServer, serveMetrics } from './server/index.ts'
export type { Advice, AdviceKind } from './check/advice.ts'
export type { NodeReport } from './check/ask-node.ts'
export type { CheckInit, CheckReport } from './check/check.ts'
export type { Progress } from './check/progress.ts'
export type { DialBackResult } from './check/dial-back.ts'
export type {
  CarrierEvidence, CarrierNAT, FailedQuery, Findings, HoldResult, PayloadRewriting, ServerView
} from './check/findings.ts'
export type { HairpinResult } from './check/hairpin.ts'
export type { LocalAddress } from './check/local-addresses.ts'
export type { MappingBehaviour, View } from './check/mapping-behaviour.ts'
export type { ExternalAddress } from './check/gateway/messages.ts'
export type { PortMapping, PortMappingProtocol } from './check/port-mapping.ts'
export type { FamilyReport, InconclusiveReason, NoAddressReason, Verdict } from './check/verdict.ts'
export { AllowList, readAllowList } from './helper/allow-list.ts'
export { serveHelperMetrics } from './helper/metrics.ts'
export type { AutoTLSOptions, Helper, HelperInit, HelperServices } from './helper/options.ts'
export type { HelperLimits, HelperLimitsInit } from './helper/limits.ts'
export type { MetricsInit, MetricsServer } from './server/index.ts'
