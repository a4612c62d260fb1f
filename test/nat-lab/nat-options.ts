/**
 * RFC 4787, sections 4.1 and 5, and RFC 5382 for TCP
 */
export type Behaviour = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'

export const BEHAVIOURS: Behaviour[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent']

export interface FilteringOptions {
  /**
   * Who may send to a port that something was sent from
   *
   * @default 'address-and-port-dependent'
   */
  filtering?: Behaviour

  /**
   * What was sent from a port is forgotten after so many seconds of silence from
   * inside
   *
   * @default 60
   */
  timeout?: number

  /**
   * What happens to a SYN that nobody asked for
   *
   * @default 'drop'
   */
  unsolicited?: 'drop' | 'reset'
}

export interface NATOptions extends FilteringOptions {
  /**
   * For which destinations the same external port is used
   *
   * @default 'endpoint-independent'
   */
  mapping?: Behaviour

  /**
   * The external port is the internal one, one computed from what the mapping
   * depends on, or drawn once for it
   *
   * @default 'preserved' for endpoint-independent mapping, else 'hashed'
   */
  ports?: 'preserved' | 'hashed' | 'random'

  /**
   * Whether a host inside reaches another one inside by its external address
   *
   * @default false
   */
  hairpin?: boolean
}

/**
 * @throws {RangeError} an option makes no sense, it is named
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
 * @throws {RangeError} an option makes no sense, it is named
 */
export function validateNATOptions (options: NATOptions): Required<NATOptions> {
  const { mapping = 'endpoint-independent', hairpin = false } = options
  const { ports = mapping === 'endpoint-independent' ? 'preserved' : 'hashed' } = options

  oneOf('mapping', mapping, BEHAVIOURS)
  oneOf('ports', ports, ['preserved', 'hashed', 'random'])
  oneOf('hairpin', hairpin, [true, false])

  if (ports === 'preserved' && mapping !== 'endpoint-independent') {
    throw new RangeError(`ports can not be preserved with ${mapping} mapping: the port would not depend on the endpoint`)
  }

  if (hairpin && mapping !== 'endpoint-independent') {
    throw new RangeError(`hairpin needs endpoint-independent mapping, with ${mapping} mapping a port belongs to one destination`)
  }

  return { mapping, ports, hairpin, ...validateFilteringOptions(options) }
}

export function oneOf (name: string, value: unknown, values: unknown[]): void {
  if (!values.includes(value)) {
    throw new RangeError(`${name} must be one of ${values.join(', ')}, not ${String(value)}`)
  }
}
