import { InvalidParametersError } from '@libp2p/interface'
import { decodeAddress, encodeAddress, xorAddress } from './address.ts'
import { STUNProtocolError } from './errors.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * The attributes that a Binding can carry: RFC 8489, section 18.3, and of RFC
 * 5780 section 7 what works over TCP
 */
export const ATTRIBUTE_CODES = {
  'MAPPED-ADDRESS': 0x0001,
  'CHANGE-REQUEST': 0x0003,
  USERNAME: 0x0006,
  'MESSAGE-INTEGRITY': 0x0008,
  'ERROR-CODE': 0x0009,
  'UNKNOWN-ATTRIBUTES': 0x000a,
  REALM: 0x0014,
  NONCE: 0x0015,
  'MESSAGE-INTEGRITY-SHA256': 0x001c,
  'PASSWORD-ALGORITHM': 0x001d,
  USERHASH: 0x001e,
  'XOR-MAPPED-ADDRESS': 0x0020,
  PADDING: 0x0026,
  'RESPONSE-PORT': 0x0027,
  'PASSWORD-ALGORITHMS': 0x8002,
  'ALTERNATE-DOMAIN': 0x8003,
  SOFTWARE: 0x8022,
  'ALTERNATE-SERVER': 0x8023,
  FINGERPRINT: 0x8028,
  'RESPONSE-ORIGIN': 0x802b,
  'OTHER-ADDRESS': 0x802c
} as const

type Name = keyof typeof ATTRIBUTE_CODES

/**
 * RFC 8489, sections 14.1, 14.2 and 14.15; RFC 5780, sections 7.3 and 7.4. The
 * address of XOR-MAPPED-ADDRESS is the real one, not the XORed one.
 */
export interface AddressAttribute<T extends Name> {
  type: T
  address: Endpoint
}

/**
 * UTF-8 (RFC 8489, sections 14.3, 14.9, 14.10, 14.14 and 14.16)
 */
export interface TextAttribute<T extends Name> {
  type: T
  value: string
}

/**
 * RFC 8489, sections 14.5 and 14.6
 */
export interface IntegrityAttribute<T extends Name> {
  type: T
  hmac: Uint8Array
}

/**
 * RFC 8489, sections 14.11 and 14.12: the algorithm's number in the registry
 * of section 18.5
 */
export interface PasswordAlgorithm {
  algorithm: number
  parameters: Uint8Array
}

export type Attribute =
  AddressAttribute<'MAPPED-ADDRESS'> |
  AddressAttribute<'XOR-MAPPED-ADDRESS'> |
  AddressAttribute<'ALTERNATE-SERVER'> |
  AddressAttribute<'RESPONSE-ORIGIN'> |
  AddressAttribute<'OTHER-ADDRESS'> |
  TextAttribute<'USERNAME'> |
  TextAttribute<'REALM'> |
  TextAttribute<'NONCE'> |
  TextAttribute<'SOFTWARE'> |
  TextAttribute<'ALTERNATE-DOMAIN'> |
  IntegrityAttribute<'MESSAGE-INTEGRITY'> |
  IntegrityAttribute<'MESSAGE-INTEGRITY-SHA256'> |
  { type: 'FINGERPRINT', crc: number } |
  /** RFC 8489, section 14.8: 300 to 699 */
  { type: 'ERROR-CODE', code: number, reason: string } |
  /** RFC 8489, section 14.13 */
  { type: 'UNKNOWN-ATTRIBUTES', codes: number[] } |
  /** RFC 8489, section 14.4: SHA-256 of username and realm */
  { type: 'USERHASH', value: Uint8Array } |
  ({ type: 'PASSWORD-ALGORITHM' } & PasswordAlgorithm) |
  { type: 'PASSWORD-ALGORITHMS', algorithms: PasswordAlgorithm[] } |
  /** RFC 5780, section 7.2 */
  { type: 'CHANGE-REQUEST', changeIP: boolean, changePort: boolean } |
  /** RFC 5780, section 7.6 */
  { type: 'PADDING', value: Uint8Array } |
  /** RFC 5780, section 7.5 */
  { type: 'RESPONSE-PORT', port: number } |
  /** Any other attribute, by its code */
  { type: 'UNKNOWN', code: number, value: Uint8Array }

export type AttributeType = Attribute['type']

/**
 * The longest value in bytes: RFC 8489 allows USERNAME less than 509 bytes, and
 * the other texts less than 128 characters, which are up to 763 bytes
 */
const MAX_TEXT: Record<string, number> = {
  USERNAME: 508,
  REALM: 763,
  NONCE: 763,
  SOFTWARE: 763,
  'ALTERNATE-DOMAIN': 255
}

const MAX_REASON = 763

const names = new Map<number, Name>(Object.entries(ATTRIBUTE_CODES).map(([name, code]) => [code, name as Name]))
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * The number that the attribute has on the wire
 */
export function attributeCode (attribute: Attribute): number {
  return attribute.type === 'UNKNOWN' ? attribute.code : ATTRIBUTE_CODES[attribute.type]
}

/**
 * A receiver that does not know such an attribute must refuse the message (RFC
 * 8489, section 14)
 */
export function isComprehensionRequired (code: number): boolean {
  return code < 0x8000
}

/**
 * The value of an attribute, without its padding
 *
 * @throws {InvalidParametersError} the attribute holds what can not be sent
 */
// one case an attribute is what the RFC has too
// eslint-disable-next-line complexity
export function encodeAttribute (attribute: Attribute, transactionId: Uint8Array): Uint8Array {
  switch (attribute.type) {
    case 'MAPPED-ADDRESS':
    case 'ALTERNATE-SERVER':
    case 'RESPONSE-ORIGIN':
    case 'OTHER-ADDRESS':
      return encodeAddress(attribute.address)
    case 'XOR-MAPPED-ADDRESS':
      return xorAddress(encodeAddress(attribute.address), transactionId)
    case 'USERNAME':
    case 'REALM':
    case 'NONCE':
    case 'SOFTWARE':
    case 'ALTERNATE-DOMAIN':
      return encodeText(attribute.type, attribute.value, MAX_TEXT[attribute.type])
    case 'MESSAGE-INTEGRITY':
    case 'MESSAGE-INTEGRITY-SHA256':
      return encodeFixed(attribute.type, attribute.hmac, length => attribute.type === 'MESSAGE-INTEGRITY' ? length === 20 : length >= 16 && length <= 32 && length % 4 === 0)
    case 'USERHASH':
      return encodeFixed(attribute.type, attribute.value, length => length === 32)
    case 'FINGERPRINT':
      return Uint8Array.of(attribute.crc >>> 24, attribute.crc >>> 16, attribute.crc >>> 8, attribute.crc)
    case 'ERROR-CODE':
      return encodeErrorCode(attribute.code, attribute.reason)
    case 'UNKNOWN-ATTRIBUTES':
      return Uint8Array.from(attribute.codes.flatMap(code => [code >>> 8, code]))
    case 'PASSWORD-ALGORITHM':
      return encodePasswordAlgorithm(attribute)
    case 'PASSWORD-ALGORITHMS':
      return Uint8Array.from(attribute.algorithms.flatMap(algorithm => [...encodePasswordAlgorithm(algorithm)]))
    case 'CHANGE-REQUEST':
      return Uint8Array.of(0, 0, 0, (attribute.changeIP ? 0x04 : 0) | (attribute.changePort ? 0x02 : 0))
    case 'RESPONSE-PORT':
      return encodeAddress({ host: '0.0.0.0', port: attribute.port }).subarray(2, 4)
    case 'UNKNOWN':
      if (!(attribute.code >= 0 && attribute.code <= 0xffff)) {
        throw new InvalidParametersError(`An attribute's code has 16 bits, not ${attribute.code}`)
      }

      return attribute.value
    default:
      return attribute.value
  }
}

/**
 * @throws {STUNProtocolError} the value is not what its type demands
 */
// eslint-disable-next-line complexity
export function decodeAttribute (code: number, value: Uint8Array, transactionId: Uint8Array): Attribute {
  const type = names.get(code)

  switch (type) {
    case 'MAPPED-ADDRESS':
    case 'ALTERNATE-SERVER':
    case 'RESPONSE-ORIGIN':
    case 'OTHER-ADDRESS':
      return { type, address: decodeAddress(value) }
    case 'XOR-MAPPED-ADDRESS':
      return { type, address: decodeAddress(xorAddress(value, transactionId)) }
    case 'USERNAME':
    case 'REALM':
    case 'NONCE':
    case 'SOFTWARE':
    case 'ALTERNATE-DOMAIN':
      assertLength(type, value, value.byteLength <= MAX_TEXT[type])
      return { type, value: decoder.decode(value) }
    case 'MESSAGE-INTEGRITY':
      assertLength(type, value, value.byteLength === 20)
      return { type, hmac: value }
    case 'MESSAGE-INTEGRITY-SHA256':
      assertLength(type, value, value.byteLength >= 16 && value.byteLength <= 32 && value.byteLength % 4 === 0)
      return { type, hmac: value }
    case 'FINGERPRINT':
      assertLength(type, value, value.byteLength === 4)
      return { type, crc: (value[0] << 24 | value[1] << 16 | value[2] << 8 | value[3]) >>> 0 }
    case 'ERROR-CODE':
      return decodeErrorCode(value)
    case 'UNKNOWN-ATTRIBUTES':
      assertLength(type, value, value.byteLength % 2 === 0)
      return { type, codes: Array.from({ length: value.byteLength / 2 }, (_, i) => value[2 * i] << 8 | value[2 * i + 1]) }
    case 'USERHASH':
      assertLength(type, value, value.byteLength === 32)
      return { type, value }
    case 'PASSWORD-ALGORITHM': {
      const algorithms = decodePasswordAlgorithms(type, value)
      assertLength(type, value, algorithms.length === 1)
      return { type, ...algorithms[0] }
    }
    case 'PASSWORD-ALGORITHMS':
      return { type, algorithms: decodePasswordAlgorithms(type, value) }
    case 'CHANGE-REQUEST':
      assertLength(type, value, value.byteLength === 4)
      return { type, changeIP: (value[3] & 0x04) !== 0, changePort: (value[3] & 0x02) !== 0 }
    case 'PADDING':
      return { type, value }
    case 'RESPONSE-PORT':
      // two bytes and two of padding, which some count
      assertLength(type, value, value.byteLength === 2 || value.byteLength === 4)
      return { type, port: value[0] << 8 | value[1] }
    default:
      return { type: 'UNKNOWN', code, value }
  }
}

function assertLength (type: string, value: Uint8Array, valid: boolean): void {
  if (!valid) {
    throw new STUNProtocolError(`${type} of ${value.byteLength} bytes`)
  }
}

function encodeFixed (type: string, value: Uint8Array, fits: (length: number) => boolean): Uint8Array {
  if (!fits(value.byteLength)) {
    throw new InvalidParametersError(`${type} can not have ${value.byteLength} bytes`)
  }

  return value
}

function encodeText (type: string, text: string, max: number): Uint8Array {
  const value = encoder.encode(text)

  if (value.byteLength > max) {
    throw new InvalidParametersError(`${type} has ${value.byteLength} bytes, more than ${max}`)
  }

  return value
}

/**
 * RFC 8489, section 14.8: the hundreds and the rest in a byte each
 */
function encodeErrorCode (code: number, reason: string): Uint8Array {
  if (!Number.isInteger(code) || code < 300 || code > 699) {
    throw new InvalidParametersError(`ERROR-CODE must be 300 to 699, not ${code}`)
  }

  const text = encodeText('The reason of ERROR-CODE', reason, MAX_REASON)
  const value = new Uint8Array(4 + text.byteLength)
  value[2] = Math.floor(code / 100)
  value[3] = code % 100
  value.set(text, 4)

  return value
}

function decodeErrorCode (value: Uint8Array): Attribute {
  assertLength('ERROR-CODE', value, value.byteLength >= 4 && value.byteLength <= 4 + MAX_REASON)
  const hundreds = value[2] & 0x07

  if (hundreds < 3 || hundreds > 6 || value[3] > 99) {
    throw new STUNProtocolError(`ERROR-CODE of class ${hundreds} and number ${value[3]}`)
  }

  return { type: 'ERROR-CODE', code: hundreds * 100 + value[3], reason: decoder.decode(value.subarray(4)) }
}

/**
 * RFC 8489, section 14.12: the parameters are padded, the last ones too
 */
function encodePasswordAlgorithm ({ algorithm, parameters }: PasswordAlgorithm): Uint8Array {
  const value = new Uint8Array(4 + padded(parameters.byteLength))
  value[0] = algorithm >>> 8
  value[1] = algorithm
  value[2] = parameters.byteLength >>> 8
  value[3] = parameters.byteLength
  value.set(parameters, 4)

  return value
}

function decodePasswordAlgorithms (type: string, value: Uint8Array): PasswordAlgorithm[] {
  const algorithms: PasswordAlgorithm[] = []
  let offset = 0

  while (offset < value.byteLength) {
    assertLength(type, value, offset + 4 <= value.byteLength)
    const length = value[offset + 2] << 8 | value[offset + 3]
    assertLength(type, value, offset + 4 + length <= value.byteLength)
    algorithms.push({
      algorithm: value[offset] << 8 | value[offset + 1],
      parameters: value.subarray(offset + 4, offset + 4 + length)
    })
    offset += 4 + padded(length)
  }

  return algorithms
}

/**
 * Attributes begin at a multiple of four bytes (RFC 8489, section 14)
 */
export function padded (length: number): number {
  return length + 3 & ~3
}
