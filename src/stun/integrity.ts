import { hash, timingSafeEqual } from 'node:crypto'
import { ATTRIBUTE_CODES } from './attributes.ts'
import { readUint16, writeUint16 } from './bytes.ts'
import { HEADER_LENGTH } from './constants.ts'
import { findAttribute } from './find-attribute.ts'

/**
 * The length of an HMAC-SHA1 and of what SHA-1 takes at a time, in bytes
 */
const HMAC_LENGTH = 20
const BLOCK_LENGTH = 64

/**
 * The key of the short-term credential mechanism (RFC 8489, section 9.1.1): the
 * password in the OpaqueString profile of RFC 8265, section 4.2, as far as it maps
 * characters
 */
export function shortTermKey (password: string): Uint8Array {
  return new TextEncoder().encode(password.replace(/\p{Zs}/gu, ' ').normalize('NFC'))
}

/**
 * Whether a message has a MESSAGE-INTEGRITY that was made with this key (RFC
 * 8489, section 14.5)
 */
export function checkIntegrity (bytes: Uint8Array, key: Uint8Array): boolean {
  const offset = findAttribute(bytes, ATTRIBUTE_CODES['MESSAGE-INTEGRITY'])

  if (offset === -1 || readUint16(bytes, offset + 2) !== HMAC_LENGTH) {
    return false
  }

  const received = bytes.subarray(offset + 4, offset + 4 + HMAC_LENGTH)

  return received.byteLength === HMAC_LENGTH && timingSafeEqual(received, integrity(bytes.subarray(0, offset), key))
}

/**
 * The MESSAGE-INTEGRITY of a message that ends before that attribute: an HMAC-SHA1
 * (RFC 2104). `createHmac` takes ten times as long, nearly all of it for the objects
 * around the hash.
 */
export function integrity (bytes: Uint8Array, key: Uint8Array): Uint8Array {
  const secret = key.byteLength > BLOCK_LENGTH ? hash('sha1', key, 'buffer') : key
  const inner = Buffer.allocUnsafe(BLOCK_LENGTH + bytes.byteLength)
  writePad(secret, 0x36, inner)
  inner.set(bytes, BLOCK_LENGTH)
  // the header counts the attribute already
  writeUint16(bytes.byteLength + 4 + HMAC_LENGTH - HEADER_LENGTH, inner, BLOCK_LENGTH + 2)

  const outer = Buffer.allocUnsafe(BLOCK_LENGTH + HMAC_LENGTH)
  writePad(secret, 0x5c, outer)
  // a digest as text comes faster than as a Buffer
  outer.write(hash('sha1', inner, 'binary'), BLOCK_LENGTH, 'latin1')

  return Buffer.from(hash('sha1', outer, 'binary'), 'latin1')
}

function writePad (key: Uint8Array, pad: number, out: Uint8Array): void {
  out.fill(pad, 0, BLOCK_LENGTH)

  for (let i = 0; i < key.byteLength; i++) {
    out[i] ^= key[i]
  }
}
