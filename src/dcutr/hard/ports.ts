import { sizeOf } from './range.ts'
import type { PortRange } from './range.ts'
import type { Random } from '../../runtime/random.ts'

/**
 * Ports below it belong to the services of a host. No NAT that is known gives them to
 * connections, and nobody should be able to have us probe them.
 */
const MIN_PORT = 1_024
const MAX_PORT = 65_535

/**
 * Why these ranges make no sense: they are not of ports that a NAT may give, or overlap
 */
export function refuseRanges (ranges: PortRange[]): string | undefined {
  let last = 0

  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    if (from < MIN_PORT || to > MAX_PORT) {
      return `ports must be from ${MIN_PORT} to ${MAX_PORT}, not ${from} to ${to}`
    }

    if (from > to || from <= last) {
      return `ranges must not overlap or end before they begin: ${from} to ${to}`
    }

    last = to
  }
}

/**
 * Some of the ports, in random order, each once
 */
export function drawPorts (ranges: PortRange[], count: number, random: Random): number[] {
  const size = sizeOf(ranges)
  // a shuffle that stops early, and remembers only what it has moved
  const moved = new Map<number, number>()
  const ports: number[] = []

  for (let i = 0; i < Math.min(count, size); i++) {
    const j = i + Math.floor(random() * (size - i))
    ports.push(portAt(ranges, moved.get(j) ?? j))
    moved.set(j, moved.get(i) ?? i)
  }

  return ports
}

/**
 * The same ports as ranges, in order
 */
export function toRanges (ports: number[]): PortRange[] {
  const ranges: PortRange[] = []

  for (const port of [...new Set(ports)].sort((a, b) => a - b)) {
    const last = ranges.at(-1)

    if (last?.to === port - 1) {
      last.to = port
    } else {
      ranges.push({ from: port, to: port })
    }
  }

  return ranges
}

function portAt (ranges: PortRange[], index: number): number {
  for (const { from, to } of ranges) {
    if (index <= to - from) {
      return from + index
    }

    index -= to - from + 1
  }

  throw new RangeError('There are fewer ports than that')
}
