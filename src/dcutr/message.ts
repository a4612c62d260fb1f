import { InvalidMessageError } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * The whole message, as go-libp2p and js-libp2p limit it, in bytes
 */
export const MAX_MESSAGE_LENGTH = 4_096

/**
 * The types of a `HolePunch` message
 *
 * @see https://github.com/libp2p/specs/blob/master/relay/DCUtR.md#rpc-messages
 */
export const CONNECT = 100
export const SYNC = 300

const FIELD_TYPE = 1
const FIELD_ADDRESS = 2

/**
 * Wire types of protobuf
 */
const VARINT = 0
const FIXED_64 = 1
const BYTES = 2
const FIXED_32 = 5

export interface HolePunch {
  /**
   * `CONNECT` or `SYNC`; another number is a later version's
   */
  type: number

  /**
   * Multiaddrs in their binary form, not checked
   */
  addresses: Uint8Array[]
}

/**
 * `message HolePunch { required Type type = 1; repeated bytes ObsAddrs = 2; }`
 *
 * Two fields do not justify a protobuf library in every application that uses the
 * transport.
 */
// eslint-disable-next-line @typescript-eslint/no-redeclare -- the type and its codec, as protons names them
export const HolePunch = {
  encode ({ type, addresses }: HolePunch): Uint8Array {
    return Buffer.concat([
      Buffer.of((FIELD_TYPE << 3) | VARINT),
      encodeVarint(type),
      ...addresses.flatMap(address => [
        Buffer.of((FIELD_ADDRESS << 3) | BYTES),
        encodeVarint(address.byteLength),
        address
      ])
    ])
  },

  /**
   * @throws {InvalidMessageError} the bytes are not a HolePunch message
   */
  decode (data: Uint8Array | Uint8ArrayList): HolePunch {
    const bytes = data.subarray()
    const message: HolePunch = { type: 0, addresses: [] }
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

      throw new InvalidMessageError('A HolePunch message has a varint that is too long, or cut')
    }
    const skip = (length: number): Uint8Array => {
      if (length > bytes.byteLength - offset) {
        throw new InvalidMessageError(`A field of a HolePunch message has ${length} bytes, more than are left`)
      }

      offset += length

      return bytes.subarray(offset - length, offset)
    }

    while (offset < bytes.byteLength) {
      const key = varint()
      const field = Math.floor(key / 8)

      switch (key % 8) {
        case VARINT: {
          const value = varint()
          message.type = field === FIELD_TYPE ? value : message.type
          break
        }
        case BYTES: {
          const value = skip(varint())

          if (field === FIELD_ADDRESS) {
            message.addresses.push(value)
          }
          break
        }
        case FIXED_64: skip(8); break
        case FIXED_32: skip(4); break
        default: throw new InvalidMessageError(`A HolePunch message has a field of wire type ${key % 8}`)
      }
    }

    return message
  }
}

function encodeVarint (value: number): Uint8Array {
  const bytes: number[] = []

  while (value >= 0x80) {
    bytes.push(value & 0x7f | 0x80)
    value >>>= 7
  }

  return Uint8Array.from([...bytes, value])
}
