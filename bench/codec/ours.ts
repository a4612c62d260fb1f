import {
  checkFingerprint, checkIntegrity, decodeMessage, encodeMessage, getAttribute, shortTermKey
} from '../../src/stun/index.ts'
import { MAPPED, ORIGIN, OTHER, PASSWORD, SOFTWARE, TRANSACTION_ID } from './operations.ts'
import type { Codec, Messages, Size } from './operations.ts'
import type { Attribute, STUNMessage } from '../../src/stun/index.ts'

const key = shortTermKey(PASSWORD)

function response (size: Size): STUNMessage {
  const more: Attribute[] = [
    { type: 'RESPONSE-ORIGIN', address: ORIGIN },
    { type: 'OTHER-ADDRESS', address: OTHER },
    { type: 'SOFTWARE', value: SOFTWARE }
  ]

  return {
    class: 'success',
    method: 1,
    transactionId: TRANSACTION_ID,
    attributes: [{ type: 'XOR-MAPPED-ADDRESS', address: MAPPED }, ...size === 32 ? [] : more]
  }
}

/**
 * The messages that all codecs read and write
 */
export function messages (size: Size): Messages {
  return {
    plain: Buffer.from(encodeMessage(response(size))),
    fingerprint: Buffer.from(encodeMessage(response(size), { fingerprint: true })),
    integrity: Buffer.from(encodeMessage(response(size), { integrityKey: key }))
  }
}

export const ours: Codec = (size, { plain, fingerprint, integrity }) => ({
  decode: () => {
    const message = decodeMessage(plain)

    return {
      mapped: getAttribute(message, 'XOR-MAPPED-ADDRESS')?.address.host,
      software: getAttribute(message, 'SOFTWARE')?.value
    }
  },
  encode: () => encodeMessage(response(size)),
  'check FINGERPRINT': () => checkFingerprint(fingerprint),
  'add FINGERPRINT': () => encodeMessage(response(size), { fingerprint: true }),
  'check MESSAGE-INTEGRITY': () => checkIntegrity(integrity, key),
  'add MESSAGE-INTEGRITY': () => encodeMessage(response(size), { integrityKey: key })
})

export function checkVector (bytes: Buffer): boolean[] {
  return [checkFingerprint(bytes), checkIntegrity(bytes, key)]
}
