import { randomFillSync } from 'node:crypto'
import { InvalidParametersError } from '@libp2p/interface'
import { MAX_TEXT_LENGTH } from './attribute-codecs.ts'
import { ATTRIBUTE_CODES, attributeCode, decodeAttribute, writeValue } from './attributes.ts'
import { padded, readUint16, view, writePadding, writeUint16, writeUint32 } from './bytes.ts'
import { HEADER_LENGTH, MAGIC_COOKIE, TRANSACTION_ID_LENGTH } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import { FINGERPRINT_LENGTH, fingerprint } from './fingerprint.ts'
import { integrity } from './integrity.ts'
import type { Attribute, AttributeType } from './attributes.ts'

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
   * In the order of the message. If an attribute occurs several times, the first one
   * counts (RFC 8489, section 14).
   */
  attributes: Attribute[]
}

export interface EncodeOptions {
  /**
   * Add MESSAGE-INTEGRITY, made with this key, after the attributes
   */
  integrityKey?: Uint8Array

  /**
   * Add FINGERPRINT as the last attribute
   *
   * @default false
   */
  fingerprint?: boolean
}

const {
  FINGERPRINT,
  'MESSAGE-INTEGRITY': MESSAGE_INTEGRITY,
  'MESSAGE-INTEGRITY-SHA256': MESSAGE_INTEGRITY_SHA256
} = ATTRIBUTE_CODES

/**
 * The header's length has 16 bits, and is a multiple of four
 */
const MAX_LENGTH = HEADER_LENGTH + 0xfffc

/**
 * Messages share a larger piece of memory, because an allocation for each would cost more
 * than all the rest. Node's own pool of Buffers cannot be used, because the length is not
 * known in advance.
 */
let pool = Buffer.alloc(0)
let used = 0

/**
 * 96 random bits (RFC 8489, section 5)
 */
export function createTransactionId (): Uint8Array {
  return randomFillSync(new Uint8Array(TRANSACTION_ID_LENGTH))
}

type AttributeOf<T extends AttributeType> = Extract<Attribute, { type: T }>

/**
 * The first attribute of a type
 */
export function getAttribute<T extends AttributeType> (message: STUNMessage, type: T): AttributeOf<T> | undefined {
  return message.attributes.find((attribute): attribute is AttributeOf<T> => attribute.type === type)
}

/**
 * @throws {InvalidParametersError} the message holds what cannot be sent
 */
export function encodeMessage (message: STUNMessage, options: EncodeOptions = {}): Uint8Array {
  const { method, transactionId } = message

  if (!Number.isInteger(method) || method < 0 || method > 0xfff) {
    throw new InvalidParametersError(`A method has 12 bits, not ${method}`)
  }

  const classNumber = CLASSES.indexOf(message.class)

  if (classNumber === -1) {
    throw new InvalidParametersError(`A message's class is one of ${CLASSES.join(', ')}, not ${message.class}`)
  }

  if (transactionId.byteLength !== TRANSACTION_ID_LENGTH) {
    const length = transactionId.byteLength
    throw new InvalidParametersError(`A transaction id has ${TRANSACTION_ID_LENGTH} bytes, not ${length}`)
  }

  const start = reserve()
  writeUint16(encodeType(classNumber, method), pool, start)
  writeUint32(MAGIC_COOKIE, pool, start + 4)
  pool.set(transactionId, start + HEADER_LENGTH - TRANSACTION_ID_LENGTH)
  let length = HEADER_LENGTH

  for (const attribute of message.attributes) {
    length = writeAttribute(attribute, start, length)
  }

  if (options.integrityKey != null) {
    const value = integrity(pool.subarray(start, start + length), options.integrityKey)
    length = writeAttribute({ type: 'MESSAGE-INTEGRITY', value }, start, length)
  }

  if (options.fingerprint === true) {
    writeUint16(length + FINGERPRINT_LENGTH - HEADER_LENGTH, pool, start + 2)
    const crc = fingerprint(pool, start, start + length)
    length = writeAttribute({ type: 'FINGERPRINT', crc }, start, length)
  }

  writeUint16(length - HEADER_LENGTH, pool, start + 2)
  used = start + length

  return view(pool, start, length)
}

/**
 * Where the next message begins in the pool, which has room for the longest
 */
function reserve (): number {
  if (pool.byteLength - used < MAX_LENGTH + MAX_TEXT_LENGTH) {
    pool = Buffer.allocUnsafeSlow(2 * (MAX_LENGTH + MAX_TEXT_LENGTH))
    used = 0
  }

  return used
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

  checkHeader(bytes, 0, HEADER_LENGTH)

  const length = HEADER_LENGTH + readUint16(bytes, 2)

  if (length !== bytes.byteLength) {
    throw new STUNProtocolError(`a message of ${bytes.byteLength} bytes whose header says ${length}`)
  }

  // only Buffers decode text fast
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const type = readUint16(buffer, 0)

  return {
    // the bits of the class lie between those of the method
    class: CLASSES[type >>> 7 & 2 | type >>> 4 & 1],
    method: type >>> 2 & 0xf80 | type >>> 1 & 0x070 | type & 0x00f,
    transactionId: view(buffer, HEADER_LENGTH - TRANSACTION_ID_LENGTH, TRANSACTION_ID_LENGTH),
    attributes: decodeAttributes(buffer)
  }
}

/**
 * Check the first bytes of a message, as far as they have arrived (RFC 8489, sections 5
 * and 6.3)
 *
 * @throws {STUNProtocolError} this is not STUN
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

function decodeAttributes (bytes: Buffer): Attribute[] {
  const attributes: Attribute[] = []
  let sealed = -1
  let offset = HEADER_LENGTH

  // the length is a multiple of four, so there is room for type and length
  while (offset < bytes.byteLength) {
    const code = readUint16(bytes, offset)
    const length = readUint16(bytes, offset + 2)
    const start = offset + 4
    offset = start + padded(length)

    if (offset > bytes.byteLength) {
      const name = `attribute 0x${code.toString(16).padStart(4, '0')}`
      throw new STUNProtocolError(`${name} has ${length} bytes, more than the rest of the message`)
    }

    const rank = sealRank(code)

    // not covered by the integrity, so it does not count
    if (sealed !== -1 && rank <= sealed) {
      continue
    }

    attributes.push(decodeAttribute(code, bytes, start, length))
    sealed = Math.max(sealed, rank)
  }

  return attributes
}

/**
 * The rank of an attribute that seals a message: after one of them only those of a higher
 * rank count (RFC 8489, sections 14.5 to 14.7). -1 for all others.
 */
function sealRank (code: number): number {
  switch (code) {
    case MESSAGE_INTEGRITY: return 0
    case MESSAGE_INTEGRITY_SHA256: return 1
    case FINGERPRINT: return 2
    default: return -1
  }
}

/**
 * The bits of the class lie between those of the method (RFC 8489, section 5)
 */
function encodeType (number: number, method: number): number {
  return (method & 0xf80) << 2 | (method & 0x070) << 1 | (method & 0x00f) | (number & 2) << 7 | (number & 1) << 4
}

/**
 * Write an attribute into the pool, at an offset of the message that begins at
 * `start`. Returns the offset of the next one.
 */
function writeAttribute (attribute: Attribute, start: number, offset: number): number {
  const value = start + offset + 4
  const end = writeValue(attribute, pool, value, start)
  const next = writePadding(pool, end) - start

  if (next > MAX_LENGTH) {
    throw new InvalidParametersError(`A message has at most ${MAX_LENGTH - HEADER_LENGTH} bytes of attributes`)
  }

  writeUint16(attributeCode(attribute), pool, value - 4)
  writeUint16(end - value, pool, value - 2)

  return next
}
