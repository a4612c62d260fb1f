import type { PortRange } from './range.ts'

/**
 * The parts of a port, in bits, as MAP-E and MAP-T divide it (RFC 7597, section 5.1):
 *
 * ```
 * | offset | port set id | piece |
 * ```
 *
 * A subscriber has all ports with one id. With an offset of 4 bits and an id of 8 these
 * are 15 pieces of 16 ports: offset 0 is not used, since it has the well-known ports.
 * Operators use offsets of 4 to 6 bits, and pieces of 16 ports or more.
 */
const PORT_BITS = 16
const OFFSETS = [4, 5, 6]
const MIN_PIECE = 4

/**
 * Ports that are drawn at random have a common id with a chance of 1 to 2 to the power of
 * this, or less
 */
const EVIDENCE = 12

/**
 * The ports that MAP-E assigns to a subscriber
 *
 * @param ports - different ones
 * @returns nothing when they do not share an id
 */
export function findPortSet (ports: number[]): PortRange[] | undefined {
  const [smallest] = OFFSETS
    .map(offset => ({ offset, id: commonBits(ports, offset) }))
    .filter(({ offset, id }) => id * (ports.length - 1) >= EVIDENCE && piecesOf(ports, offset).length > 1)
    .sort((a, b) => b.offset + b.id - (a.offset + a.id) || a.offset - b.offset)

  return smallest == null ? undefined : toRanges(ports, smallest.offset, smallest.id)
}

/**
 * How many bits after the offset are the same in all ports
 */
function commonBits (ports: number[], offset: number): number {
  const differing = ports.reduce((bits, port) => bits | (port ^ ports[0]), 0) & (2 ** (PORT_BITS - offset) - 1)

  return Math.min(Math.clz32(differing) - (32 - PORT_BITS) - offset, PORT_BITS - MIN_PIECE - offset)
}

function piecesOf (ports: number[], offset: number): number[] {
  return [...new Set(ports.map(port => port >> (PORT_BITS - offset)))]
}

function toRanges (ports: number[], offset: number, id: number): PortRange[] {
  const size = 2 ** (PORT_BITS - offset - id)
  const inPiece = ports[0] % 2 ** (PORT_BITS - offset)
  const start = inPiece - inPiece % size

  return Array.from({ length: 2 ** offset }, (_, piece) => piece)
    .filter(piece => piece > 0 || piecesOf(ports, offset).includes(0))
    .map(piece => {
      const from = piece * 2 ** (PORT_BITS - offset) + start

      return { from, to: from + size - 1 }
    })
}
