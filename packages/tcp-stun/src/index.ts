/**
 * @packageDocumentation
 *
 * The parts of the `tcp-stun` command, for programs.
 */

export { check } from './check/check.ts'
export type { CheckInit, CheckReport, FamilyReport, Progress } from './check/check.ts'
export { startHelper } from './helper/helper.ts'
export { createSTUNServer, serveMetrics } from './server/index.ts'
export type { MetricsInit, MetricsServer } from './server/index.ts'
