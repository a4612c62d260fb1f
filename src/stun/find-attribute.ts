import { padded } from './attributes.ts'
import { HEADER_LENGTH } from './constants.ts'

/**
 * Where the first attribute of a type begins in the bytes of a message,
 * nowhere: -1
 */
export function findAttribute (bytes: Uint8Array, code: number): number {
  let offset = HEADER_LENGTH

  while (offset + 4 <= bytes.byteLength) {
    if ((bytes[offset] << 8 | bytes[offset + 1]) === code) {
      return offset
    }

    offset += 4 + padded(bytes[offset + 2] << 8 | bytes[offset + 3])
  }

  return -1
}
