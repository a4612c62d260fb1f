import { HardPunchError } from './errors.ts'
import { portsAfter } from './plan.ts'
import { toRanges } from './ports.ts'
import { bracketedPorts } from './sequential.ts'
import type { Connects } from './connects.ts'
import type { Order } from './message-types.ts'
import type { Plan } from './plan.ts'
import type { PortRange } from './range.ts'
import type { PublicMapping } from '../../mapping/mapping.ts'
import type { AbortOptions } from '@libp2p/interface'

type Signal = Required<AbortOptions>

/**
 * How our NAT maps, by a Binding
 */
interface Host {
  mapping: Pick<PublicMapping, 'bindOnce'>
}

/**
 * Make the connects, or only reserve their ports if the easy side goes first
 *
 * @returns the external ports that they have, or may have
 * @throws {HardPunchError} they are not known
 */
export async function makeConnects (
  { mapping }: Host,
  { ports, connects: count }: Plan,
  connects: Connects,
  { probes, order }: { probes: number, order: Order },
  options: Signal
): Promise<PortRange[]> {
  let local: number[] | undefined
  const begin = (): number[] => {
    if (local == null) {
      local = connects.bind(Math.max(1, count - connects.testSYNs))

      if (order === 'hard-first') {
        connects.connect()
      }
    }

    return local
  }

  if (ports.source === 'local') {
    return toRanges(begin())
  }

  if (ports.source === 'ranges') {
    const between = ports.mayCount === true && order === 'hard-first'
      ? await tryToBracket({ mapping }, begin, { step: 1, limit: probes }, options)
      : []
    begin()

    return between.length === 0 ? ports.ranges : toRanges(between)
  }

  if (order === 'easy-first') {
    const { externalPort } = await mapping.bindOnce(options)
    begin()

    return toRanges(portsAfter(externalPort, ports.step, probes))
  }

  return toRanges(await bracket({ mapping }, begin, { step: ports.step, limit: probes }, options))
}

/**
 * Begin the connects between two Bindings. The shorter the time between their SYNs, the
 * fewer ports other hosts take.
 *
 * @returns the ports between
 * @throws {HardPunchError} there is no room for the connects
 */
async function bracket (
  { mapping }: Host,
  begin: () => number[],
  { step, limit }: { step: number, limit: number },
  options: Signal
): Promise<number[]> {
  const left = Promise.withResolvers<void>()
  const before = mapping.bindOnce({ ...options, onConnect: left.resolve })
  await Promise.race([left.promise, before])
  const { length } = begin()
  const samples = await Promise.all([before, mapping.bindOnce(options)])
  const between = bracketedPorts(...samples, { step, connects: length, limit })

  if (between.length === 0) {
    const [first, last] = samples.map(({ externalPort }) => externalPort)
    throw new HardPunchError(
      'not-met',
      `The NAT gave the ports ${first} and ${last}, with no room for connects between`
    )
  }

  return between
}

/**
 * @returns nothing where the NAT does not count, or no server can be asked now
 */
async function tryToBracket (...args: Parameters<typeof bracket>): Promise<number[]> {
  const [,,, { signal }] = args

  try {
    return await bracket(...args)
  } catch {
    signal.throwIfAborted()

    return []
  }
}
