import { padded, readUint16 } from './bytes.ts'
import { HEADER_LENGTH } from './constants.ts'

/**
 * Where the first attribute of a type begins in the bytes of a message, -1 when
 * there is none
 */
export function findAttribute (bytes: Uint8Array, code: number): number {
  let offset = HEADER_LENGTH

  while (offset + 4 <= bytes.byteLength) {
    if (readUint16(bytes, offset) === code) {
      return offset
    }

    offset += 4 + padded(readUint16(bytes, offset + 2))
  }

  return -1
}
