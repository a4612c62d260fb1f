import { createHash, hash, timingSafeEqual } from 'node:crypto'
import { ATTRIBUTE_CODES, isSHA256Length } from './attributes.ts'
import { readUint16, writeUint16 } from './bytes.ts'
import { HEADER_LENGTH } from './constants.ts'
import { findAttribute } from './find-attribute.ts'

export type IntegrityAlgorithm = 'sha1' | 'sha256'

export const INTEGRITY_TYPES = { sha1: 'MESSAGE-INTEGRITY', sha256: 'MESSAGE-INTEGRITY-SHA256' } as const

/**
 * In bytes
 */
export const HMAC_LENGTH = { sha1: 20, sha256: 32 }

/**
 * What SHA-1 and SHA-256 take at a time, in bytes
 */
const BLOCK_LENGTH = 64

/**
 * Whether a message has a MESSAGE-INTEGRITY that was made with this key (RFC
 * 8489, section 14.5)
 */
export function checkIntegrity (bytes: Uint8Array, key: Uint8Array): boolean {
  return check(bytes, key, 'sha1')
}

/**
 * Whether a message has a MESSAGE-INTEGRITY-SHA256 that was made with this key,
 * whole or cut to 16 bytes or more (RFC 8489, section 14.6)
 */
export function checkIntegritySHA256 (bytes: Uint8Array, key: Uint8Array): boolean {
  return check(bytes, key, 'sha256')
}

/**
 * The key of the short-term credential mechanism (RFC 8489, section 9.1.1)
 */
export function shortTermKey (password: string): Uint8Array {
  return new TextEncoder().encode(opaqueString(password))
}

/**
 * The key of the long-term credential mechanism (RFC 8489, section 9.2.2)
 */
export function longTermKey (username: string, realm: string, password: string, algorithm: 'MD5' | 'SHA-256' = 'MD5'): Uint8Array {
  return createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update([username, realm, password].map(opaqueString).join(':'))
    .digest()
}

/**
 * The HMAC of a message, as far as it comes before the attribute: that is to have
 * `length` bytes
 */
export function integrity (bytes: Uint8Array, key: Uint8Array, algorithm: IntegrityAlgorithm, length = HMAC_LENGTH[algorithm]): Uint8Array {
  const message = Buffer.allocUnsafe(BLOCK_LENGTH + bytes.byteLength)
  message.set(bytes, BLOCK_LENGTH)
  // the header's length counts up to the end of the attribute itself
  writeUint16(bytes.byteLength + 4 + length - HEADER_LENGTH, message, BLOCK_LENGTH + 2)

  const digest = hmac(algorithm, key, message)

  return length === digest.byteLength ? digest : digest.subarray(0, length)
}

/**
 * RFC 2104, of a message that has room for a block before it. Node's own HMAC
 * takes ten times as long, nearly all of it for the objects around the hash: its
 * one-shot hash goes without.
 */
function hmac (algorithm: IntegrityAlgorithm, key: Uint8Array, message: Buffer): Uint8Array {
  const secret = key.byteLength > BLOCK_LENGTH ? hash(algorithm, key, 'buffer') : key
  const outer = Buffer.allocUnsafe(BLOCK_LENGTH + HMAC_LENGTH[algorithm])
  writePad(secret, 0x36, message)
  writePad(secret, 0x5c, outer)
  // a digest as text comes faster than as a Buffer
  outer.write(hash(algorithm, message, 'binary'), BLOCK_LENGTH, 'latin1')

  return Buffer.from(hash(algorithm, outer, 'binary'), 'latin1')
}

function writePad (key: Uint8Array, pad: number, out: Uint8Array): void {
  for (let i = 0; i < BLOCK_LENGTH; i++) {
    out[i] = pad
  }

  for (let i = 0; i < key.byteLength; i++) {
    out[i] ^= key[i]
  }
}

function check (bytes: Uint8Array, key: Uint8Array, algorithm: IntegrityAlgorithm): boolean {
  const offset = findAttribute(bytes, ATTRIBUTE_CODES[INTEGRITY_TYPES[algorithm]])

  if (offset === -1) {
    return false
  }

  const length = readUint16(bytes, offset + 2)
  const received = bytes.subarray(offset + 4, offset + 4 + length)
  const allowed = algorithm === 'sha1' ? length === HMAC_LENGTH.sha1 : isSHA256Length(length)

  return allowed && received.byteLength === length && timingSafeEqual(received, integrity(bytes.subarray(0, offset), key, algorithm, length))
}

/**
 * The OpaqueString profile of RFC 8265, section 4.2, as far as it maps
 * characters: all spaces become U+0020, then NFC
 */
function opaqueString (text: string): string {
  return text.replace(/\p{Zs}/gu, ' ').normalize('NFC')
}
