import { randomFillSync } from 'node:crypto'
import { InvalidParametersError } from '@libp2p/interface'
import { ATTRIBUTE_CODES, attributeCode, decodeAttribute, encodeAttribute, padded } from './attributes.ts'
import { HEADER_LENGTH, MAGIC_COOKIE, TRANSACTION_ID_LENGTH } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import { fingerprint } from './fingerprint.ts'
import { integrity } from './integrity.ts'
import type { Attribute, AttributeType } from './attributes.ts'
import type { IntegrityAlgorithm } from './integrity.ts'

export { HEADER_LENGTH, MAGIC_COOKIE, METHOD_BINDING } from './constants.ts'

/**
 * RFC 8489, section 5
 */
export type MessageClass = 'request' | 'indication' | 'success' | 'error'

/**
 * In the order of their numbers
 */
const CLASSES: MessageClass[] = ['request', 'indication', 'success', 'error']

export interface STUNMessage {
  class: MessageClass

  /**
   * 12 bits, `METHOD_BINDING` is 1
   */
  method: number

  /**
   * 12 bytes
   */
  transactionId: Uint8Array

  /**
   * In the order of the message. An attribute may be there several times, the
   * first one counts (RFC 8489, section 14).
   */
  attributes: Attribute[]
}

export interface EncodeOptions {
  /**
   * Add MESSAGE-INTEGRITY, or with `sha256` MESSAGE-INTEGRITY-SHA256, after the
   * attributes
   */
  integrity?: {
    key: Uint8Array

    /**
     * @default 'sha1'
     */
    algorithm?: IntegrityAlgorithm
  }

  /**
   * Add FINGERPRINT as the last attribute
   *
   * @default false
   */
  fingerprint?: boolean

  /**
   * The byte that fills an attribute up to a multiple of four. Receivers ignore
   * it; the test vectors of RFC 5769 have 0x20.
   *
   * @default 0
   */
  padding?: number
}

/**
 * 96 random bits (RFC 8489, section 5)
 */
export function createTransactionId (): Uint8Array {
  return randomFillSync(new Uint8Array(TRANSACTION_ID_LENGTH))
}

/**
 * The first attribute of a type
 */
export function getAttribute<T extends AttributeType> (message: STUNMessage, type: T): Extract<Attribute, { type: T }> | undefined {
  return message.attributes.find((attribute): attribute is Extract<Attribute, { type: T }> => attribute.type === type)
}

/**
 * @throws {InvalidParametersError} the message holds what can not be sent
 */
export function encodeMessage (message: STUNMessage, options: EncodeOptions = {}): Uint8Array {
  const { method, transactionId } = message

  if (!Number.isInteger(method) || method < 0 || method > 0xfff) {
    throw new InvalidParametersError(`A method has 12 bits, not ${method}`)
  }

  if (!CLASSES.includes(message.class)) {
    throw new InvalidParametersError(`A message's class is one of ${CLASSES.join(', ')}, not ${message.class}`)
  }

  if (transactionId.byteLength !== TRANSACTION_ID_LENGTH) {
    throw new InvalidParametersError(`A transaction id has ${TRANSACTION_ID_LENGTH} bytes, not ${transactionId.byteLength}`)
  }

  const values = message.attributes.map(attribute => encodeAttribute(attribute, transactionId))
  let length = values.reduce((sum, value) => sum + 4 + padded(value.byteLength), HEADER_LENGTH)
  let bytes = new Uint8Array(length)
  const type = encodeType(message)
  bytes[0] = type >>> 8
  bytes[1] = type
  bytes[4] = MAGIC_COOKIE >>> 24
  bytes[5] = MAGIC_COOKIE >>> 16
  bytes[6] = MAGIC_COOKIE >>> 8
  bytes[7] = MAGIC_COOKIE & 0xff
  bytes.set(transactionId, 8)
  setLength(bytes, length - HEADER_LENGTH)

  let offset = HEADER_LENGTH

  for (const [i, value] of values.entries()) {
    offset = writeAttribute(bytes, offset, attributeCode(message.attributes[i]), value, options.padding)
  }

  if (options.integrity != null) {
    const { key, algorithm = 'sha1' } = options.integrity
    const { code, hmac } = integrity(bytes, length, key, algorithm)
    bytes = append(bytes, code, hmac)
    length = bytes.byteLength
  }

  if (options.fingerprint === true) {
    const { code, value } = fingerprint(bytes, length)
    bytes = append(bytes, code, value)
  }

  return bytes
}

/**
 * Decode one whole message
 *
 * @throws {STUNProtocolError} it is not one, and why
 */
export function decodeMessage (bytes: Uint8Array): STUNMessage {
  if (bytes.byteLength < HEADER_LENGTH) {
    throw new STUNProtocolError(`a message of ${bytes.byteLength} bytes, the header alone has ${HEADER_LENGTH}`)
  }

  checkHeader(bytes, 0, bytes.byteLength)

  const length = HEADER_LENGTH + (bytes[2] << 8 | bytes[3])

  if (length !== bytes.byteLength) {
    throw new STUNProtocolError(`a message of ${bytes.byteLength} bytes whose header says ${length}`)
  }

  const transactionId = bytes.subarray(8, HEADER_LENGTH)

  return {
    ...decodeType(bytes[0] << 8 | bytes[1]),
    transactionId,
    attributes: decodeAttributes(bytes, transactionId)
  }
}

/**
 * What the first bytes of a message must be, as far as they are there (RFC
 * 8489, sections 5 and 6.3)
 *
 * @throws {STUNProtocolError} they are not
 */
export function checkHeader (bytes: Uint8Array, offset: number, available: number): void {
  if (available > 0 && (bytes[offset] & 0xc0) !== 0) {
    throw new STUNProtocolError('the two most significant bits are not zero')
  }

  if (available > 3 && (bytes[offset + 3] & 3) !== 0) {
    throw new STUNProtocolError(`a length of ${bytes[offset + 2] << 8 | bytes[offset + 3]} bytes, not a multiple of 4`)
  }

  for (let i = 4; i < 8 && i < available; i++) {
    if (bytes[offset + i] !== (MAGIC_COOKIE >>> 8 * (7 - i) & 0xff)) {
      throw new STUNProtocolError('the magic cookie is wrong')
    }
  }
}

function decodeAttributes (bytes: Uint8Array, transactionId: Uint8Array): Attribute[] {
  const attributes: Attribute[] = []
  let sealed: 'no' | 'by-sha1' | 'by-sha256' | 'by-fingerprint' = 'no'
  let offset = HEADER_LENGTH

  // the length is a multiple of four, so there is room for type and length
  while (offset < bytes.byteLength) {
    const code = bytes[offset] << 8 | bytes[offset + 1]
    const length = bytes[offset + 2] << 8 | bytes[offset + 3]
    const start = offset + 4
    offset = start + padded(length)

    if (offset > bytes.byteLength) {
      throw new STUNProtocolError(`attribute 0x${code.toString(16).padStart(4, '0')} has ${length} bytes, more than are left of the message`)
    }

    // what follows MESSAGE-INTEGRITY is not covered by it: ignored, but for what
    // may follow (RFC 8489, sections 14.5 to 14.7)
    if (sealed === 'by-fingerprint' ||
        (sealed !== 'no' && code !== ATTRIBUTE_CODES.FINGERPRINT && !(sealed === 'by-sha1' && code === ATTRIBUTE_CODES['MESSAGE-INTEGRITY-SHA256']))) {
      continue
    }

    const attribute = decodeAttribute(code, bytes.subarray(start, start + length), transactionId)
    attributes.push(attribute)

    if (attribute.type === 'MESSAGE-INTEGRITY') {
      sealed = 'by-sha1'
    } else if (attribute.type === 'MESSAGE-INTEGRITY-SHA256') {
      sealed = 'by-sha256'
    } else if (attribute.type === 'FINGERPRINT') {
      sealed = 'by-fingerprint'
    }
  }

  return attributes
}

/**
 * The bits of the class lie between those of the method (RFC 8489, section 5)
 */
function encodeType (message: STUNMessage): number {
  const { method } = message
  const number = CLASSES.indexOf(message.class)

  return (method & 0xf80) << 2 | (method & 0x070) << 1 | (method & 0x00f) | (number & 2) << 7 | (number & 1) << 4
}

function decodeType (type: number): Pick<STUNMessage, 'class' | 'method'> {
  return {
    class: CLASSES[type >>> 7 & 2 | type >>> 4 & 1],
    method: type >>> 2 & 0xf80 | type >>> 1 & 0x070 | type & 0x00f
  }
}

function setLength (bytes: Uint8Array, length: number): void {
  if (length > 0xffff) {
    throw new InvalidParametersError(`A message has at most 65535 bytes of attributes, not ${length}`)
  }

  bytes[2] = length >>> 8
  bytes[3] = length
}

function append (bytes: Uint8Array, code: number, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes.byteLength + 4 + value.byteLength)
  out.set(bytes)
  writeAttribute(out, bytes.byteLength, code, value)
  setLength(out, out.byteLength - HEADER_LENGTH)

  return out
}

function writeAttribute (bytes: Uint8Array, offset: number, code: number, value: Uint8Array, padding = 0): number {
  const end = offset + 4 + value.byteLength
  bytes[offset] = code >>> 8
  bytes[offset + 1] = code
  bytes[offset + 2] = value.byteLength >>> 8
  bytes[offset + 3] = value.byteLength
  bytes.set(value, offset + 4)
  bytes.fill(padding, end, padded(end))

  return padded(end)
}
