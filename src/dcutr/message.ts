import { bytesField, readFields, varintField } from './protobuf.ts'
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
 */
// eslint-disable-next-line @typescript-eslint/no-redeclare -- the type and its codec, as protons names them
export const HolePunch = {
  encode ({ type, addresses }: HolePunch): Uint8Array {
    return Buffer.concat([
      varintField(FIELD_TYPE, type),
      ...addresses.map(address => bytesField(FIELD_ADDRESS, address))
    ])
  },

  /**
   * @throws {InvalidMessageError} the bytes are not a HolePunch message
   */
  decode (data: Uint8Array | Uint8ArrayList): HolePunch {
    const message: HolePunch = { type: 0, addresses: [] }

    for (const field of readFields('HolePunch', data.subarray())) {
      if (field.type === 'varint' && field.number === FIELD_TYPE) {
        message.type = field.value
      } else if (field.type === 'bytes' && field.number === FIELD_ADDRESS) {
        message.addresses.push(field.value)
      }
    }

    return message
  }
}
