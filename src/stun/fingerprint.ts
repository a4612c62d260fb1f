import { crc32 } from 'node:zlib'
import { ATTRIBUTE_CODES } from './attributes.ts'
import { HEADER_LENGTH } from './constants.ts'
import { findAttribute } from './find-attribute.ts'

/**
 * Tells STUN's CRC-32 from that of a packet that carries STUN (RFC 8489, section 14.7)
 */
const FINGERPRINT_XOR = 0x5354554e

/**
 * Type, length and CRC-32
 */
const ATTRIBUTE_LENGTH = 8

/**
 * Whether a message ends in a FINGERPRINT, and the right one (RFC 8489, section 14.7)
 */
export function checkFingerprint (bytes: Uint8Array): boolean {
  const offset = findAttribute(bytes, ATTRIBUTE_CODES.FINGERPRINT)

  const length = HEADER_LENGTH + (bytes[2] << 8 | bytes[3])

  if (offset === -1 || offset !== length - ATTRIBUTE_LENGTH || length !== bytes.byteLength || (bytes[offset + 2] << 8 | bytes[offset + 3]) !== 4) {
    return false
  }

  const { value } = fingerprint(bytes, offset)

  return value.every((byte, i) => byte === bytes[offset + 4 + i])
}

/**
 * The FINGERPRINT of a message's first `end` bytes
 */
export function fingerprint (bytes: Uint8Array, end: number): { code: number, value: Uint8Array } {
  // the header's length counts the attribute itself
  const length = end + ATTRIBUTE_LENGTH - HEADER_LENGTH
  const head = Uint8Array.of(bytes[0], bytes[1], length >>> 8, length)
  const crc = (crc32(bytes.subarray(4, end), crc32(head)) ^ FINGERPRINT_XOR) >>> 0

  return {
    code: ATTRIBUTE_CODES.FINGERPRINT,
    value: Uint8Array.of(crc >>> 24, crc >>> 16, crc >>> 8, crc)
  }
}
