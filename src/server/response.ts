import { attributeCode, isComprehensionRequired } from '../stun/attributes.ts'
import { METHOD_BINDING } from '../stun/constants.ts'
import { checkFingerprint } from '../stun/fingerprint.ts'
import { encodeMessage, getAttribute } from '../stun/message.ts'
import type { Attribute } from '../stun/attributes.ts'
import type { Endpoint } from '../stun/endpoint.ts'
import type { STUNMessage } from '../stun/message.ts'

/**
 * Known to the codec, but nothing that this server can do over TCP: another
 * address to answer from (RFC 5780, section 7.2), another port to answer to
 * (section 7.5)
 */
const REFUSED: Array<Attribute['type']> = ['CHANGE-REQUEST', 'RESPONSE-PORT', 'UNKNOWN']

/**
 * Whom a request came from, and where to
 */
export interface Origin {
  client: Endpoint
  server: Endpoint

  /**
   * Another endpoint of this server
   */
  other?: Endpoint
  software: string
}

/**
 * What to do with a message:
 *
 * - `answer`: send these bytes
 * - `ignore`: nothing (RFC 8489, section 6.3)
 */
export type Reaction =
  { type: 'answer', bytes: Uint8Array, outcome: 'success' | 400 | 420 } |
  { type: 'ignore' }

/**
 * The answer to a message. There are no credentials: MESSAGE-INTEGRITY in a
 * request is not checked, and none is sent.
 */
export function respond (message: STUNMessage, bytes: Uint8Array, origin: Origin): Reaction {
  if (message.class !== 'request') {
    return { type: 'ignore' }
  }

  const fingerprint = getAttribute(message, 'FINGERPRINT') != null

  if (fingerprint && !checkFingerprint(bytes)) {
    return { type: 'ignore' }
  }

  const answer = (outcome: 'success' | 400 | 420, attributes: Attribute[]): Reaction => ({
    type: 'answer',
    outcome,
    bytes: encodeMessage({
      class: outcome === 'success' ? 'success' : 'error',
      method: message.method,
      transactionId: message.transactionId,
      attributes: [...attributes, { type: 'SOFTWARE', value: origin.software }]
    }, { fingerprint })
  })

  if (message.method !== METHOD_BINDING) {
    return answer(400, [{ type: 'ERROR-CODE', code: 400, reason: 'Bad Request' }])
  }

  const unknown = message.attributes.filter(isRefused).map(attributeCode)

  if (unknown.length > 0) {
    return answer(420, [
      { type: 'ERROR-CODE', code: 420, reason: 'Unknown Attribute' },
      { type: 'UNKNOWN-ATTRIBUTES', codes: [...new Set(unknown)] }
    ])
  }

  return answer('success', [
    { type: 'XOR-MAPPED-ADDRESS', address: origin.client },
    { type: 'RESPONSE-ORIGIN', address: origin.server },
    ...(origin.other == null ? [] : [{ type: 'OTHER-ADDRESS' as const, address: origin.other }])
  ])
}

function isRefused (attribute: Attribute): boolean {
  // asks for nothing
  if (attribute.type === 'CHANGE-REQUEST' && !attribute.changeIP && !attribute.changePort) {
    return false
  }

  return REFUSED.includes(attribute.type) && isComprehensionRequired(attributeCode(attribute))
}
