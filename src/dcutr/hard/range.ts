/**
 * Ports, both ends included
 */
export interface PortRange {
  from: number
  to: number
}

/**
 * Where NATs begin when they have all ports
 */
const FIRST_PORT = 1_024
const LAST_PORT = 0xffff

/**
 * What systems and NATs draw from by default: Linux, IANA's dynamic ports (RFC 6335,
 * section 6), all that need no privileges
 */
const USUAL_RANGES: PortRange[] = [
  { from: 49_152, to: LAST_PORT },
  { from: 32_768, to: 60_999 },
  { from: FIRST_PORT, to: LAST_PORT }
]

/**
 * A usual range is what the ports were drawn from unless it exceeds the estimate by this
 * factor
 */
const TOLERANCE = 1.5

/**
 * The range that ports were drawn from at random: a usual one that fits, or an estimate
 *
 * @param ports - at least two, ascending
 */
export function findRange (ports: number[]): PortRange {
  const from = ports[0]
  const to = ports[ports.length - 1]
  // n ports divide a range into n + 1 gaps of the same length on average
  const gap = Math.ceil((to - from) / (ports.length - 1))
  const estimate = { from: Math.max(1, from - gap), to: Math.min(LAST_PORT, to + gap) }
  const usual = [...alignedBlocks(from, to), ...USUAL_RANGES]
    .filter(range => range.from <= from && range.to >= to)
    .sort((a, b) => sizeOf([a]) - sizeOf([b]))

  return usual.find(range => sizeOf([range]) <= TOLERANCE * sizeOf([estimate])) ?? estimate
}

export function sizeOf (ranges: PortRange[]): number {
  return ranges.reduce((size, { from, to }) => size + to - from + 1, 0)
}

/**
 * Carriers assign blocks whose sizes are powers of two, each at a multiple of its size
 */
function alignedBlocks (from: number, to: number): PortRange[] {
  return [64, 128, 256, 512, 1_024, 2_048, 4_096].map(size => {
    const start = Math.floor(from / size) * size

    return { from: start, to: start + size - 1 }
  })
}
