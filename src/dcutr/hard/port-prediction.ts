import { isIP } from 'node:net'
import { findPortSet } from './port-set.ts'
import { findRange, sizeOf } from './range.ts'
import { findStep } from './sequential.ts'
import type { PortRange } from './range.ts'
import type { PortSample } from '../../mapping/port-samples.ts'

/**
 * Which external port the NAT will choose for the next connections:
 *
 * - `preserved`: the local port
 * - `sequential`: `step` more than for the connection before. Other hosts behind the NAT
 * take ports too, so bracket the connects by two Bindings: see `bracketedPorts`.
 * - `block`: at random, one of a few thousand ports or fewer. `atMost` is how many there may
 * be, where few samples may have shown a part of them. With `mayCount` each port was above the
 * one before: then the NAT may count, for many hosts, and so does not look sequential
 * - `wide`: at random, one of many
 * - `unknown`: for this reason
 */
export type PortPrediction =
  { type: 'preserved' } |
  { type: 'sequential', step: number } |
  { type: 'block', ranges: PortRange[], atMost?: number, mayCount?: true } |
  { type: 'wide', mayCount?: true } & PortRange |
  { type: 'unknown', reason: string }

/**
 * The largest blocks that carriers assign to one subscriber
 */
const MAX_BLOCK = 4_096

/**
 * Fewer ports do not show a range
 */
const MIN_PORTS = 3

/**
 * How many times as large a block may be as the part of it in which all of so many ports lie:
 * 3 ports in a half of theirs are a quarter of all cases, and in a quarter a sixteenth
 */
const LARGEST_FACTOR = new Map([[3, 4], [4, 2], [5, 2]])

/**
 * Learn from recent connections how the NAT chooses external ports. Pure.
 *
 * Where too many ports are predicted, probes are wasted. Where too few are, only the
 * number of connects is too low: each port that is named is as likely as before. So
 * of two explanations the one with fewer ports is taken.
 */
export function predictPorts (samples: PortSample[]): PortPrediction {
  const valid = samples.filter(isValid).sort((a, b) => a.at - b.at)
  const ports = [...new Set(valid.map(({ externalPort }) => externalPort))].sort((a, b) => a - b)

  if (valid.length === 0) {
    return unknown('no connection through the NAT is known')
  }

  if (new Set(valid.map(({ externalHost }) => externalHost)).size > 1) {
    return unknown('the NAT has several public addresses')
  }

  if (isPreserved(valid)) {
    return { type: 'preserved' }
  }

  // before the step: neighbours in a piece look like steps
  const set = findPortSet(ports)

  if (set != null) {
    return { type: 'block', ranges: set }
  }

  const step = findStep(valid)

  if (step != null) {
    return { type: 'sequential', step }
  }

  if (ports.length < MIN_PORTS) {
    return unknown(`${ports.length} external ports are too few to learn from`)
  }

  const range = findRange(ports)
  const size = sizeOf([range])
  const climb = isClimbing(valid) ? { mayCount: true as const } : {}

  if (size > MAX_BLOCK) {
    return { type: 'wide', ...range, ...climb }
  }

  const factor = LARGEST_FACTOR.get(ports.length)

  return factor == null
    ? { type: 'block', ranges: [range], ...climb }
    : { type: 'block', ranges: [range], atMost: Math.min(factor * size, MAX_BLOCK), ...climb }
}

/**
 * 4 ports that are drawn at random climb like this once in 24 times, and 8 once in 40 320
 */
function isClimbing (samples: PortSample[]): boolean {
  return samples.every(({ externalPort }, i) => i === 0 || externalPort > samples[i - 1].externalPort)
}

/**
 * Whether connections keep their local port. One local port may be the exception:
 * another host behind the NAT has it too.
 */
function isPreserved (samples: PortSample[]): boolean {
  const locals = [...Map.groupBy(samples, ({ localPort }) => localPort).values()]
  const kept = locals.filter(samples => samples.every(({ localPort, externalPort }) => localPort === externalPort))

  return kept.length === locals.length || (kept.length > 1 && kept.length === locals.length - 1)
}

function isValid ({ localPort, externalHost, externalPort, at }: PortSample): boolean {
  return isIP(externalHost) !== 0 && isPort(localPort) && isPort(externalPort) && Number.isFinite(at)
}

function isPort (port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= 0xffff
}

function unknown (reason: string): PortPrediction {
  return { type: 'unknown', reason }
}

export type { PortRange, PortSample }
