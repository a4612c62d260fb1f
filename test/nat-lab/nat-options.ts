import { validateAllocation } from './port-allocation.ts'
import type { PortAllocation } from './port-allocation.ts'

/**
 * RFC 4787, sections 4.1 and 5, and RFC 5382 for TCP
 */
export type Behaviour = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'

export const BEHAVIOURS: Behaviour[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent']

export interface FilteringOptions {
  /**
   * Which remote endpoints may send to a port that has sent something
   *
   * @default 'address-and-port-dependent'
   */
  filtering?: Behaviour

  /**
   * Seconds without a packet from inside after which a mapping is forgotten
   *
   * @default 60
   */
  timeout?: number

  /**
   * How an unsolicited SYN is refused
   *
   * @default 'drop'
   */
  unsolicited?: 'drop' | 'reset'
}

export interface NATOptions extends FilteringOptions {
  /**
   * Which destinations share an external port
   *
   * @default 'endpoint-independent', or with an allocation 'address-and-port-dependent'
   */
  mapping?: Behaviour

  /**
   * The external port is the internal one, a hash of what the mapping depends on,
   * or drawn at random for each mapping. With an allocation it is another one for each
   * connection.
   *
   * @default 'preserved' for endpoint-independent mapping, else 'hashed'
   */
  ports?: 'preserved' | 'hashed' | 'random' | PortAllocation

  /**
   * Whether a host inside reaches another host inside at its external address
   *
   * @default false
   */
  hairpin?: boolean
}

/**
 * @throws {RangeError} an option is invalid; the message names it
 */
export function validateFilteringOptions (options: FilteringOptions): Required<FilteringOptions> {
  const { filtering = 'address-and-port-dependent', timeout = 60, unsolicited = 'drop' } = options

  oneOf('filtering', filtering, BEHAVIOURS)
  oneOf('unsolicited', unsolicited, ['drop', 'reset'])

  if (!Number.isInteger(timeout) || timeout < 1) {
    throw new RangeError(`timeout must be a whole number of seconds from 1 on, not ${timeout}`)
  }

  return { filtering, timeout, unsolicited }
}

/**
 * @throws {RangeError} an option is invalid; the message names it
 */
export function validateNATOptions (options: NATOptions): Required<NATOptions> {
  const isAllocation = typeof options.ports === 'object'
  const { mapping = isAllocation ? 'address-and-port-dependent' : 'endpoint-independent', hairpin = false } = options
  const { ports = mapping === 'endpoint-independent' ? 'preserved' : 'hashed' } = options

  oneOf('mapping', mapping, BEHAVIOURS)

  if (typeof ports === 'object') {
    validateAllocation(ports)
  } else {
    oneOf('ports', ports, ['preserved', 'hashed', 'random'])
  }

  oneOf('hairpin', hairpin, [true, false])

  if (ports === 'preserved' && mapping !== 'endpoint-independent') {
    throw new RangeError(`ports cannot be preserved with ${mapping} mapping: the port would not depend on the endpoint`)
  }

  if (isAllocation && mapping !== 'address-and-port-dependent') {
    throw new RangeError(`ports of an allocation change with each connection, so mapping cannot be ${mapping}`)
  }

  if (hairpin && mapping !== 'endpoint-independent') {
    throw new RangeError(
      `hairpin needs endpoint-independent mapping, with ${mapping} mapping a port belongs to one destination`
    )
  }

  return { mapping, ports, hairpin, ...validateFilteringOptions(options) }
}

export function oneOf (name: string, value: unknown, values: unknown[]): void {
  if (!values.includes(value)) {
    throw new RangeError(`${name} must be one of ${values.join(', ')}, not ${String(value)}`)
  }
}
