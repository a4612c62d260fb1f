import { block, portSet } from '../fixtures/port-nats.ts'
import type { PortRange } from '../../src/dcutr/hard/range.ts'

/**
 * How a NAT with address-and-port-dependent mapping chooses a port for each connection:
 *
 * - `sequential`: `step` more than for the connection before, whichever host that was of
 * - `random`: one of these ranges, and in it one of the free ports
 * - `listed`: one of these after the other, and then from the first again
 */
export type PortAllocation =
  { type: 'sequential', step: number } & PortRange |
  { type: 'random', ranges: PortRange[] } |
  { type: 'listed', ports: number[] }

/**
 * Allocations as home routers and carriers have them
 */
export const ALLOCATIONS = {
  'steps of 1': { type: 'sequential', step: 1, from: 20_000, to: 30_239 },
  'steps of 2': { type: 'sequential', step: 2, from: 20_000, to: 30_239 },
  'steps of 256': { type: 'sequential', step: 256, from: 20_000, to: 40_479 },
  // jumps to and fro, so that it does not look sequential
  '64 ports in a fixed order': { type: 'listed', ports: Array.from({ length: 64 }, (_, i) => 20_480 + (53 * i) % 64) },
  'MAP-E, 15 pieces of 16 ports': { type: 'random', ranges: portSet(0x9c) },
  'block of 512': { type: 'random', ranges: block(20_480, 512) },
  'block of 1024': { type: 'random', ranges: block(20_480, 1_024) },
  'block of 2048': { type: 'random', ranges: block(20_480, 2_048) },
  'ports from 32768 to 60999': { type: 'random', ranges: [{ from: 32_768, to: 60_999 }] },
  'all ports': { type: 'random', ranges: [{ from: 1_024, to: 65_535 }] }
} satisfies Record<string, PortAllocation>

/**
 * @throws {RangeError} it is invalid; the message says how
 */
export function validateAllocation (allocation: PortAllocation): void {
  const ranges = rangesOf(allocation)
  const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port <= 0xffff

  if (!(ranges?.length > 0) || ranges.some(({ from, to }) => !isPort(from) || !isPort(to) || from > to)) {
    throw new RangeError(
      `ports must be from 1 to 65535, and the first not above the last: ${JSON.stringify(allocation)}`
    )
  }

  if (allocation.type === 'sequential' && !(sizeOf(allocation) % allocation.step === 0)) {
    throw new RangeError(`ports must be as many as some whole steps: ${JSON.stringify(allocation)}`)
  }
}

/**
 * As nftables: the rules that translate, and the chains that they use
 *
 * @param allocation
 * @param to - the external address, `ip to 11.1.0.1`
 */
export function allocationRules (allocation: PortAllocation, to: string): { rules: string[], chains?: string } {
  if (allocation.type === 'sequential') {
    return { rules: [`snat ${to}:${counter(countedPorts(allocation))}`] }
  }

  if (allocation.type === 'listed') {
    return { rules: [`snat ${to}:${counter(allocation.ports)}`] }
  }

  const { ranges } = allocation
  const snat = ({ from, to: last }: PortRange): string => `snat ${to}:${from}-${last} fully-random`

  // chains: the kernel takes another port of the same range when one is not free
  return ranges.length === 1
    ? { rules: [snat(ranges[0])] }
    : {
        rules: [
          `numgen random mod ${ranges.length} vmap { ${ranges.map((_, i) => `${i} : jump range${i}`).join(', ')} }`
        ],
        chains: ranges.map((range, i) => `chain range${i} { meta l4proto tcp ${snat(range)} ; }`).join('\n  ')
      }
}

/**
 * A map from a count to a port. Without one, `numgen` steps by 256 on most machines,
 * whose byte order is not the network's.
 */
function counter (ports: number[]): string {
  return `numgen inc mod ${ports.length} map { ${ports.map((port, i) => `${i} : ${port}`).join(', ')} }`
}

function countedPorts ({ from, step, ...range }: PortRange & { step: number }): number[] {
  const size = sizeOf({ from, ...range })

  return Array.from({ length: size }, (_, i) => from + (i * step % size) + Math.floor(i * step / size))
}

function rangesOf (allocation: PortAllocation): PortRange[] {
  switch (allocation.type) {
    case 'sequential': return [allocation]
    case 'listed': return allocation.ports?.map(port => ({ from: port, to: port }))
    default: return allocation.ranges
  }
}

function sizeOf ({ from, to }: PortRange): number {
  return to - from + 1
}
