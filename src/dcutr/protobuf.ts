import { InvalidMessageError } from '@libp2p/interface'

/**
 * Wire types of protobuf
 *
 * @see https://protobuf.dev/programming-guides/encoding/#structure
 */
const VARINT = 0
const FIXED_64 = 1
const BYTES = 2
const FIXED_32 = 5

/**
 * A field of a message: its number in the definition, and a value of one of the two
 * types that the messages of this room use
 */
export type Field =
  { number: number, type: 'varint', value: number } |
  { number: number, type: 'bytes', value: Uint8Array }

/**
 * The fields of a message in their order. Those of other types are checked and skipped:
 * a later version may have them. The bytes of a field are a view of the message.
 *
 * Our messages have few fields. They do not justify a protobuf library in every
 * application that uses the transport.
 *
 * @param name - of the message, for errors
 * @param bytes - the whole message
 * @throws {InvalidMessageError} the bytes are no protobuf message
 */
export function * readFields (name: string, bytes: Uint8Array): Generator<Field> {
  let offset = 0

  const varint = (): number => {
    let value = 0

    // seven bits a byte, as far as a number holds them exactly
    for (let bits = 0; bits < 49 && offset < bytes.byteLength; bits += 7) {
      const byte = bytes[offset++]
      value += (byte & 0x7f) * 2 ** bits

      if (byte < 0x80) {
        return value
      }
    }

    throw new InvalidMessageError(`A ${name} message has a varint that is too long, or cut`)
  }
  const skip = (length: number): Uint8Array => {
    if (length > bytes.byteLength - offset) {
      throw new InvalidMessageError(`A field of a ${name} message has ${length} bytes, more than are left`)
    }

    offset += length

    return bytes.subarray(offset - length, offset)
  }

  while (offset < bytes.byteLength) {
    const key = varint()
    const number = Math.floor(key / 8)

    switch (key % 8) {
      case VARINT: yield { number, type: 'varint', value: varint() }; break
      case BYTES: yield { number, type: 'bytes', value: skip(varint()) }; break
      case FIXED_64: skip(8); break
      case FIXED_32: skip(4); break
      default: throw new InvalidMessageError(`A ${name} message has a field of wire type ${key % 8}`)
    }
  }
}

/**
 * A field with an unsigned number, below 2^32
 */
export function varintField (number: number, value: number): Uint8Array {
  return Buffer.concat([encodeVarint((number << 3) | VARINT), encodeVarint(value)])
}

export function bytesField (number: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([encodeVarint((number << 3) | BYTES), encodeVarint(value.byteLength), value])
}

function encodeVarint (value: number): Uint8Array {
  const bytes: number[] = []

  while (value >= 0x80) {
    bytes.push(value & 0x7f | 0x80)
    value >>>= 7
  }

  return Uint8Array.from([...bytes, value])
}
