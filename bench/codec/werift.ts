import { Message, parseMessage } from 'werift-ice'
import { MAPPED, ORIGIN, OTHER, PASSWORD, SOFTWARE, TRANSACTION_ID } from './operations.ts'
import type { Codec, Size } from './operations.ts'

const key = Buffer.from(PASSWORD)

function response (size: Size): Message {
  const more: Array<[any, any]> = [
    ['RESPONSE-ORIGIN', [ORIGIN.host, ORIGIN.port]],
    ['OTHER-ADDRESS', [OTHER.host, OTHER.port]],
    ['SOFTWARE', SOFTWARE]
  ]

  return new Message(0x0001, 0x0100, TRANSACTION_ID, [
    ['XOR-MAPPED-ADDRESS', [MAPPED.host, MAPPED.port]],
    ...(size === 32 ? [] : more)
  ])
}

/**
 * It decodes and checks in one step
 */
export const werift: Codec = (size, { plain, fingerprint, integrity }) => ({
  decode: () => {
    const message = parseMessage(plain)

    return {
      mapped: message?.getAttributeValue('XOR-MAPPED-ADDRESS')[0],
      software: message?.getAttributeValue('SOFTWARE')
    }
  },
  encode: () => response(size).bytes,
  'check FINGERPRINT': () => parseMessage(fingerprint) != null,
  'add FINGERPRINT': () => response(size).addFingerprint().bytes,
  'check MESSAGE-INTEGRITY': () => parseMessage(integrity, key) != null,
  'add MESSAGE-INTEGRITY': () => response(size).addMessageIntegrity(key).bytes
})

export function checkVector (bytes: Buffer): boolean[] {
  return [parseMessage(bytes) != null, parseMessage(bytes, key) != null]
}
