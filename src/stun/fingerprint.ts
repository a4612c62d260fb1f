import { ATTRIBUTE_CODES } from './attributes.ts'
import { readUint16, readUint32 } from './bytes.ts'
import { HEADER_LENGTH } from './constants.ts'
import { findAttribute } from './find-attribute.ts'

/**
 * Distinguishes the CRC-32 of STUN from that of a packet that carries STUN (RFC 8489, section 14.7)
 */
const FINGERPRINT_XOR = 0x5354554e

/**
 * Type, length and CRC-32, in bytes
 */
export const FINGERPRINT_LENGTH = 8

/**
 * Whether a message ends with its right FINGERPRINT (RFC 8489, section 14.7)
 */
export function checkFingerprint (bytes: Uint8Array): boolean {
  const offset = findAttribute(bytes, ATTRIBUTE_CODES.FINGERPRINT)
  const isWhole = bytes.byteLength === HEADER_LENGTH + readUint16(bytes, 2)
  const isLast = offset !== -1 && offset === bytes.byteLength - FINGERPRINT_LENGTH

  return isWhole && isLast && readUint16(bytes, offset + 2) === 4 &&
    readUint32(bytes, offset + 4) === fingerprint(bytes, 0, offset)
}

/**
 * The FINGERPRINT of a message from `start` to `end` of these bytes, whose header
 * counts it already
 */
export function fingerprint (bytes: Uint8Array, start: number, end: number): number {
  // loaded when it is needed: few messages have a FINGERPRINT
  const { crc32 } = process.getBuiltinModule('node:zlib')

  return (crc32(bytes.subarray(start, end)) ^ FINGERPRINT_XOR) >>> 0
}
