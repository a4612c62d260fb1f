import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { ATTRIBUTE_CODES } from './attributes.ts'
import { HEADER_LENGTH } from './constants.ts'
import { findAttribute } from './find-attribute.ts'

export type IntegrityAlgorithm = 'sha1' | 'sha256'

const CODES = {
  sha1: ATTRIBUTE_CODES['MESSAGE-INTEGRITY'],
  sha256: ATTRIBUTE_CODES['MESSAGE-INTEGRITY-SHA256']
}

const HMAC_LENGTH = { sha1: 20, sha256: 32 }

/**
 * An HMAC cut shorter than this is not accepted (RFC 8489, section 14.6)
 */
const MIN_SHA256_LENGTH = 16

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
 * The HMAC of a message's first `end` bytes
 */
export function integrity (bytes: Uint8Array, end: number, key: Uint8Array, algorithm: IntegrityAlgorithm, length = HMAC_LENGTH[algorithm]): { code: number, hmac: Uint8Array } {
  // the header's length counts up to the end of the attribute itself
  const messageLength = end + 4 + length - HEADER_LENGTH
  const hmac = createHmac(algorithm, key)
    .update(Uint8Array.of(bytes[0], bytes[1], messageLength >>> 8, messageLength))
    .update(bytes.subarray(4, end))
    .digest()

  return { code: CODES[algorithm], hmac: hmac.subarray(0, length) }
}

function check (bytes: Uint8Array, key: Uint8Array, algorithm: IntegrityAlgorithm): boolean {
  const offset = findAttribute(bytes, CODES[algorithm])

  if (offset === -1) {
    return false
  }

  const length = bytes[offset + 2] << 8 | bytes[offset + 3]
  const hmac = bytes.subarray(offset + 4, offset + 4 + length)
  const allowed = algorithm === 'sha1'
    ? length === HMAC_LENGTH.sha1
    : length >= MIN_SHA256_LENGTH && length <= HMAC_LENGTH.sha256 && length % 4 === 0

  return allowed && hmac.byteLength === length && timingSafeEqual(hmac, integrity(bytes, offset, key, algorithm, length).hmac)
}

/**
 * The OpaqueString profile of RFC 8265, section 4.2, as far as it maps
 * characters: all spaces become U+0020, then NFC
 */
function opaqueString (text: string): string {
  return text.replace(/\p{Zs}/gu, ' ').normalize('NFC')
}
