import { InvalidMessageError } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { toIPEndpoint, toMultiaddr } from '../../multiaddr/net-config.ts'
import { bytesField, readFields, varintField } from '../protobuf.ts'
import { REASONS } from './errors.ts'
import type { Reason } from './errors.ts'
import type { HardPunchMessage as Message, Order } from './message-types.ts'
import type { PortRange } from './range.ts'
import type { Endpoint } from '../../address/endpoint.ts'
import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * The whole message, in bytes
 */
export const MAX_MESSAGE_LENGTH = 1_024

/**
 * How many ranges a message may have: MAP-E gives a subscriber up to 63 ranges, and every
 * other NAT one
 */
export const MAX_RANGES = 64

/**
 * How long the text of a refusal may be, in characters
 */
const MAX_TEXT = 200

export type HardPunchMessage = Message

const TYPES = ['offer', 'accept', 'refuse', 'start', 'probed', 'failed'] as const
const ORDERS: Order[] = ['hard-first', 'easy-first']

const FIELD_TYPE = 1
const FIELD_ADDRESS = 2
const FIELD_RANGE = 3
const FIELD_CONNECTS = 4
const FIELD_PROBES = 5
const FIELD_ORDER = 6
const FIELD_ROUND_TRIP = 7
const FIELD_REASON = 8
const FIELD_TEXT = 9

const FIELD_FROM = 1
const FIELD_TO = 2

/**
 * The bytes of a message, which docs/hard-punch.md defines as protobuf. Enumerations
 * begin at 1.
 */
// eslint-disable-next-line @typescript-eslint/no-redeclare -- the type and its codec, as protons names them
export const HardPunchMessage = {
  encode (message: HardPunchMessage): Uint8Array {
    return Buffer.concat([
      varintField(FIELD_TYPE, TYPES.indexOf(message.type) + 1),
      ...fieldsOf(message)
    ])
  },

  /**
   * @throws {InvalidMessageError} the bytes are no message, or a field that its type needs
   * is missing or invalid
   */
  decode (data: Uint8Array | Uint8ArrayList): HardPunchMessage {
    const fields = new Fields(data.subarray())
    const type = TYPES[fields.number(FIELD_TYPE) - 1]

    switch (type) {
      case 'offer': return {
        type,
        host: fields.host(),
        ranges: fields.ranges(),
        connects: fields.number(FIELD_CONNECTS),
        probes: fields.number(FIELD_PROBES)
      }
      case 'accept': return {
        type,
        endpoint: fields.endpoint(),
        probes: fields.number(FIELD_PROBES),
        ...(fields.has(FIELD_ORDER) && { order: fields.order() })
      }
      case 'start': return {
        type,
        order: fields.order(),
        ranges: fields.ranges(),
        roundTrip: fields.number(FIELD_ROUND_TRIP)
      }
      case 'probed': return { type }
      case 'refuse':
      case 'failed': return { type, reason: fields.reason(), text: fields.text() }
      default: throw new InvalidMessageError(`A hard punch message has the type ${fields.number(FIELD_TYPE)}`)
    }
  }
}

function fieldsOf (message: HardPunchMessage): Uint8Array[] {
  switch (message.type) {
    case 'offer': return [
      bytesField(FIELD_ADDRESS, multiaddr(`/ip4/${message.host}`).bytes),
      ...message.ranges.map(encodeRange),
      varintField(FIELD_CONNECTS, message.connects),
      varintField(FIELD_PROBES, message.probes)
    ]
    case 'accept': return [
      bytesField(FIELD_ADDRESS, toMultiaddr(message.endpoint).bytes),
      varintField(FIELD_PROBES, message.probes),
      ...(message.order == null ? [] : [encodeOrder(message.order)])
    ]
    case 'start': return [
      ...message.ranges.map(encodeRange),
      encodeOrder(message.order),
      varintField(FIELD_ROUND_TRIP, Math.round(message.roundTrip))
    ]
    case 'probed': return []
    default: return [
      varintField(FIELD_REASON, REASONS.indexOf(message.reason) + 1),
      bytesField(FIELD_TEXT, Buffer.from(message.text.slice(0, MAX_TEXT)))
    ]
  }
}

function encodeRange ({ from, to }: PortRange): Uint8Array {
  return bytesField(FIELD_RANGE, Buffer.concat([varintField(FIELD_FROM, from), varintField(FIELD_TO, to)]))
}

function encodeOrder (order: Order): Uint8Array {
  return varintField(FIELD_ORDER, ORDERS.indexOf(order) + 1)
}

/**
 * The fields of one message. Of a number that comes twice the last counts, as in every
 * protobuf decoder.
 */
class Fields {
  private readonly numbers = new Map<number, number>()
  private readonly values = new Map<number, Uint8Array[]>()

  constructor (bytes: Uint8Array) {
    for (const field of readFields('hard punch', bytes)) {
      if (field.type === 'varint') {
        this.numbers.set(field.number, field.value)
      } else {
        this.values.set(field.number, [...this.values.get(field.number) ?? [], field.value])
      }
    }
  }

  has (field: number): boolean {
    return this.numbers.has(field)
  }

  number (field: number): number {
    const value = this.numbers.get(field)

    if (value == null) {
      throw new InvalidMessageError(`A hard punch message lacks its field ${field}`)
    }

    return value
  }

  order (): Order {
    return oneOf('order', ORDERS, this.number(FIELD_ORDER))
  }

  reason (): Reason {
    // a later version may have more reasons
    return REASONS[(this.numbers.get(FIELD_REASON) ?? 0) - 1] ?? 'other'
  }

  text (): string {
    return Buffer.from(this.values.get(FIELD_TEXT)?.at(-1) ?? []).toString().slice(0, MAX_TEXT)
  }

  /**
   * Only an IPv4 address
   */
  host (): string {
    const components = this.address().getComponents()

    if (components.length !== 1 || components[0].name !== 'ip4' || components[0].value == null) {
      throw new InvalidMessageError('The address of an offer must be /ip4/..., without a port')
    }

    return components[0].value
  }

  /**
   * An IPv4 address and a TCP port
   */
  endpoint (): Endpoint {
    const address = this.address()
    const endpoint = toIPEndpoint(address)

    if (endpoint?.family !== 4 || address.getComponents().length !== 2) {
      throw new InvalidMessageError('The address of an acceptance must be /ip4/.../tcp/...')
    }

    return { host: endpoint.host, port: endpoint.port }
  }

  ranges (): PortRange[] {
    const ranges = this.values.get(FIELD_RANGE) ?? []

    if (ranges.length > MAX_RANGES) {
      throw new InvalidMessageError(`A hard punch message has ${ranges.length} ranges, at most ${MAX_RANGES} may be`)
    }

    return ranges.map(bytes => {
      const fields = new Fields(bytes)

      return { from: fields.number(FIELD_FROM), to: fields.number(FIELD_TO) }
    })
  }

  private address (): ReturnType<typeof multiaddr> {
    try {
      return multiaddr(this.values.get(FIELD_ADDRESS)?.at(-1) ?? new Uint8Array())
    } catch {
      throw new InvalidMessageError('The address of a hard punch message is no multiaddr')
    }
  }
}

function oneOf<T> (name: string, values: T[], number: number): T {
  const value = values[number - 1]

  if (value == null) {
    throw new InvalidMessageError(`A hard punch message has the ${name} ${number}`)
  }

  return value
}
