import type { PortSample } from '../../mapping/port-samples.ts'

/**
 * Connections of other hosts that a NAT may map between two of ours: these at once, and
 * one more each ms
 */
const FOREIGN_AT_ONCE = 64
const FOREIGN_PER_MS = 1

/**
 * Between two connections that were begun within this many ms, the NAT has not used all
 * of its ports
 */
const CLOSE = 1_000

/**
 * The smallest block that ports are drawn from at random
 */
const SMALLEST_BLOCK = 240

/**
 * If ports that are drawn at random look like this less often, they count as sequential.
 * A bracket shows whether that is right.
 */
const MAX_CHANCE = 0.005

interface Pair {
  difference: number

  /**
   * In ms
   */
  time: number
}

/**
 * By how much the NAT adds to its last port: the greatest common divisor of the
 * differences, since other hosts take ports too
 *
 * @param samples - in the order in which the connections were begun
 * @returns nothing when the ports are not sequential, or too few to tell
 */
export function findStep (samples: PortSample[]): number | undefined {
  const ports = samples.map(({ externalPort }) => externalPort)
  const size = Math.max(SMALLEST_BLOCK, Math.max(...ports) - Math.min(...ports))
  const pairs = samples.slice(1).map((sample, i) => ({
    difference: sample.externalPort - samples[i].externalPort,
    time: sample.at - samples[i].at
  }))
  const close = pairs.filter(({ time }) => time <= CLOSE)

  // where many hosts connect, only close pairs show it
  for (const some of [close, pairs]) {
    const step = stepOf(some)

    if (some.length > 0 && some.every(pair => isPlausible(pair, step)) && chanceOf(some, step, size) < MAX_CHANCE) {
      return step
    }
  }
}

/**
 * After its last port a NAT begins again with the first, so any fall is possible
 */
function isPlausible ({ difference, time }: Pair, step: number): boolean {
  return difference / step <= FOREIGN_AT_ONCE + FOREIGN_PER_MS * time
}

/**
 * The chance that ports which are drawn at random from so many climb by so little or
 * less, by Fisher's method of combining chances
 */
function chanceOf (pairs: Pair[], step: number, size: number): number {
  const product = pairs.reduce(
    (product, { difference }) => product * (difference > 0 ? Math.min(1, difference / step / size) : 1),
    1
  )
  let term = 1
  let sum = 1

  for (let i = 1; i < pairs.length; i++) {
    term *= -Math.log(product) / i
    sum += term
  }

  return stepsLike(step) * product * sum
}

/**
 * How many other steps would have been as good: NATs count in powers of two, in the
 * machine's byte order or in the network's
 */
function stepsLike (step: number): number {
  const power = Math.log2(step)

  return Number.isInteger(power) ? power + 1 : step
}

/**
 * A single difference may be of several steps
 */
function stepOf (pairs: Pair[]): number {
  const climbs = pairs.map(({ difference }) => difference).filter(difference => difference > 0)

  return climbs.length < 2 ? 1 : climbs.reduce(greatestCommonDivisor)
}

function greatestCommonDivisor (a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

export interface BracketOptions {
  /**
   * As predicted
   *
   * @default 1
   */
  step?: number

  /**
   * How many connections were begun between the two samples
   */
  connects: number

  /**
   * How many ports are wanted at most
   */
  limit: number
}

/**
 * The ports that a sequential NAT has given to connections which were begun after the
 * one sample and before the other: they lie between the two, whatever other hosts do.
 * The most likely come first.
 *
 * @returns nothing when the NAT has begun again with its first port, or is not sequential
 */
export function bracketedPorts (before: PortSample, after: PortSample, options: BracketOptions): number[] {
  const { step: predicted = 1, connects, limit } = options
  const distance = after.externalPort - before.externalPort

  if (before.externalHost !== after.externalHost || distance <= connects) {
    return []
  }

  // a step that leaves no room for our own connections was several at once
  const common = greatestCommonDivisor(predicted, distance)
  const step = distance / common > connects ? common : 1
  const between = (step: number): number[] =>
    Array.from({ length: Math.ceil(distance / step) - 1 }, (_, i) => before.externalPort + (i + 1) * step)
  const likely = between(step).slice(0, limit)

  return distance <= limit ? [...new Set([...likely, ...between(1)])] : likely
}
