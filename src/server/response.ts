import { writeAddress, xorAddressInPlace } from '../stun/address.ts'
import { ATTRIBUTE_CODES, attributeCode, isComprehensionRequired } from '../stun/attributes.ts'
import { HEADER_LENGTH, METHOD_BINDING } from '../stun/constants.ts'
import { checkFingerprint } from '../stun/fingerprint.ts'
import { decodeMessage, encodeMessage, getAttribute } from '../stun/message.ts'
import { CredentialGate } from './credential-gate.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Attribute } from '../stun/attributes.ts'
import type { STUNCredential } from '../stun/client-init.ts'

/**
 * Attributes that the codec knows and the server rejects. Over TCP it cannot
 * answer from another address (RFC 5780, section 7.2) or to another port (section
 * 7.5).
 */
const REJECTED: Array<Attribute['type']> = ['CHANGE-REQUEST', 'RESPONSE-PORT', 'UNKNOWN']

/**
 * How a Binding request without attributes begins, up to its transaction id:
 * nearly every client sends these
 */
const BARE_REQUEST = Uint8Array.of(0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42)

const NO_ID = new Uint8Array(12)

/**
 * The error codes that the server answers with (RFC 8489, section 14.8)
 */
export type ErrorCode = 300 | 400 | 401 | 420

/**
 * What became of a message
 */
export type Outcome = 'success' | 'ignore' | ErrorCode

/**
 * What to do about a message:
 *
 * - `answer`: send these bytes
 * - `ignore`: nothing (RFC 8489, section 6.3)
 */
export type Reaction =
  { type: 'answer', bytes: Uint8Array, outcome: 'success' | ErrorCode } |
  { type: 'ignore' }

export interface ResponderInit {
  /**
   * The address and port that clients connected to
   */
  server: Endpoint

  /**
   * Another address or port of this server, for OTHER-ADDRESS
   */
  other?: Endpoint
  software: string

  /**
   * What clients have to know
   *
   * @default nothing
   */
  credential?: STUNCredential
}

/**
 * Answers requests to one address and port of the server. Without a credential
 * MESSAGE-INTEGRITY in a request is not verified, and none is sent.
 */
export class Responder {
  readonly server: Endpoint
  private readonly software: Attribute
  private readonly gate?: CredentialGate
  private readonly common: Attribute[]

  /**
   * What follows XOR-MAPPED-ADDRESS in every response to a bare request
   */
  private readonly tail: Uint8Array

  constructor ({ server, other, software, credential }: ResponderInit) {
    this.server = server
    this.gate = credential == null ? undefined : new CredentialGate(credential)
    this.software = { type: 'SOFTWARE', value: software }
    this.common = [
      { type: 'RESPONSE-ORIGIN', address: server },
      ...(other == null ? [] : [{ type: 'OTHER-ADDRESS' as const, address: other }]),
      this.software
    ]
    this.tail = encodeMessage({
      class: 'success',
      method: METHOD_BINDING,
      transactionId: NO_ID,
      attributes: this.common
    }).subarray(HEADER_LENGTH)
  }

  /**
   * Whether everybody is answered
   */
  get isOpen (): boolean {
    return this.gate == null
  }

  /**
   * The most that `writeBare` writes, in bytes
   */
  get bareLength (): number {
    return HEADER_LENGTH + 24 + this.tail.byteLength
  }

  /**
   * Write the response to a bare request into `out`: the same bytes that `respond`
   * returns, without objects in between
   *
   * @returns where it ends
   */
  writeBare (request: Uint8Array, offset: number, client: Endpoint, out: Uint8Array, start: number): number {
    const attribute = start + HEADER_LENGTH
    const value = attribute + 4
    const end = writeAddress(client, out, value)
    xorAddressInPlace(out, value, end, request, offset + 8)

    out[start] = 0x01
    out[start + 1] = 0x01

    for (let i = 4; i < HEADER_LENGTH; i++) {
      out[start + i] = request[offset + i]
    }

    out[attribute] = 0
    out[attribute + 1] = ATTRIBUTE_CODES['XOR-MAPPED-ADDRESS']
    out[attribute + 2] = 0
    out[attribute + 3] = end - value
    out.set(this.tail, end)

    const length = end + this.tail.byteLength - attribute
    out[start + 2] = length >>> 8
    out[start + 3] = length

    return attribute + length
  }

  /**
   * The response to any message. With `alternates` the client is sent to the one of
   * its address family (RFC 8489, section 10).
   *
   * @throws {STUNProtocolError} the bytes are not a message
   */
  respond (bytes: Uint8Array, client: Endpoint, alternates: Endpoint[] = []): Reaction {
    const message = decodeMessage(bytes)

    if (message.class !== 'request') {
      return { type: 'ignore' }
    }

    const fingerprint = getAttribute(message, 'FINGERPRINT') != null

    if (fingerprint && !checkFingerprint(bytes)) {
      return { type: 'ignore' }
    }

    const answer = (outcome: 'success' | ErrorCode, attributes: Attribute[]): Reaction => ({
      type: 'answer',
      outcome,
      bytes: encodeMessage({
        class: outcome === 'success' ? 'success' : 'error',
        method: message.method,
        transactionId: message.transactionId,
        attributes
      }, { fingerprint, integrityKey: outcome === 400 || outcome === 401 ? undefined : this.gate?.key })
    })

    if (message.method !== METHOD_BINDING) {
      return answer(400, [{ type: 'ERROR-CODE', code: 400, reason: 'Bad Request' }, this.software])
    }

    const refusal = this.gate?.check(message, bytes)

    if (refusal != null) {
      return answer(refusal, [
        { type: 'ERROR-CODE', code: refusal, reason: refusal === 400 ? 'Bad Request' : 'Unauthenticated' },
        this.software
      ])
    }

    const unknown = new Set(message.attributes.filter(isRejected).map(attributeCode))

    if (unknown.size > 0) {
      return answer(420, [
        { type: 'ERROR-CODE', code: 420, reason: 'Unknown Attribute' },
        { type: 'UNKNOWN-ATTRIBUTES', codes: [...unknown] },
        this.software
      ])
    }

    const alternate = alternateFor(client, alternates)

    if (alternate != null) {
      return answer(300, [
        { type: 'ERROR-CODE', code: 300, reason: 'Try Alternate' },
        { type: 'ALTERNATE-SERVER', address: alternate },
        this.software
      ])
    }

    return answer('success', [{ type: 'XOR-MAPPED-ADDRESS', address: client }, ...this.common])
  }
}

/**
 * The alternate server of the client's address family
 */
export function alternateFor (client: Endpoint, alternates: Endpoint[]): Endpoint | undefined {
  return alternates.find(({ host }) => host.includes(':') === client.host.includes(':'))
}

/**
 * Whether a whole bare request begins here
 */
export function isBareRequest (bytes: Uint8Array, offset: number): boolean {
  if (bytes.byteLength - offset < HEADER_LENGTH) {
    return false
  }

  for (let i = 0; i < BARE_REQUEST.byteLength; i++) {
    if (bytes[offset + i] !== BARE_REQUEST[i]) {
      return false
    }
  }

  return true
}

function isRejected (attribute: Attribute): boolean {
  // it requests no change
  if (attribute.type === 'CHANGE-REQUEST' && !attribute.changeIP && !attribute.changePort) {
    return false
  }

  return REJECTED.includes(attribute.type) && isComprehensionRequired(attributeCode(attribute))
}
