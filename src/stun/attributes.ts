import { InvalidParametersError } from '@libp2p/interface'
import { decodeAddress, writeAddress, writePort, xorAddressInPlace } from './address.ts'
import { readUint16, readUint32, view, writeUint16, writeUint32 } from './bytes.ts'
import { HEADER_LENGTH, TRANSACTION_ID_LENGTH } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import type { Endpoint } from '../address/endpoint.ts'

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

/**
 * What there must be room for behind an attribute that is still allowed: no other
 * value than one of bytes is longer
 */
export const MAX_TEXT_LENGTH = 1_024

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
 * Write the value of an attribute of the message that begins at `header`, and
 * return where it ends. All of its bytes are written: the memory may not be empty.
 *
 * @throws {InvalidParametersError} the attribute holds what can not be sent
 */
// one case an attribute is what the RFC has too
// eslint-disable-next-line complexity
export function writeValue (attribute: Attribute, out: Buffer, offset: number, header: number): number {
  switch (attribute.type) {
    case 'XOR-MAPPED-ADDRESS': {
      const end = writeAddress(attribute.address, out, offset)
      xorAddressInPlace(out, offset, end, out, header + HEADER_LENGTH - TRANSACTION_ID_LENGTH)

      return end
    }
    case 'MAPPED-ADDRESS':
    case 'ALTERNATE-SERVER':
    case 'RESPONSE-ORIGIN':
    case 'OTHER-ADDRESS':
      return writeAddress(attribute.address, out, offset)
    case 'SOFTWARE':
    case 'USERNAME':
    case 'REALM':
    case 'NONCE':
    case 'ALTERNATE-DOMAIN':
      return writeText(attribute.type, attribute.value, MAX_TEXT[attribute.type], out, offset)
    case 'MESSAGE-INTEGRITY':
      return writeFixed(attribute.type, attribute.hmac, attribute.hmac.byteLength === 20, out, offset)
    case 'MESSAGE-INTEGRITY-SHA256':
      return writeFixed(attribute.type, attribute.hmac, isSHA256Length(attribute.hmac.byteLength), out, offset)
    case 'USERHASH':
      return writeFixed(attribute.type, attribute.value, attribute.value.byteLength === 32, out, offset)
    case 'FINGERPRINT':
      return writeUint32(attribute.crc, out, offset)
    case 'ERROR-CODE':
      return writeErrorCode(attribute.code, attribute.reason, out, offset)
    case 'UNKNOWN-ATTRIBUTES':
      return attribute.codes.reduce((offset, code) => writeUint16(code, out, offset), offset)
    case 'PASSWORD-ALGORITHM':
      return writePasswordAlgorithm(attribute, out, offset)
    case 'PASSWORD-ALGORITHMS':
      return attribute.algorithms.reduce((offset, algorithm) => writePasswordAlgorithm(algorithm, out, offset), offset)
    case 'CHANGE-REQUEST':
      return writeUint32((attribute.changeIP ? 0x04 : 0) | (attribute.changePort ? 0x02 : 0), out, offset)
    case 'RESPONSE-PORT':
      return writePort(attribute.port, out, offset)
    case 'UNKNOWN':
      if (!(attribute.code >= 0 && attribute.code <= 0xffff)) {
        throw new InvalidParametersError(`An attribute's code has 16 bits, not ${attribute.code}`)
      }

      return writeBytes(attribute.value, out, offset)
    default:
      return writeBytes(attribute.value, out, offset)
  }
}

/**
 * The attribute whose value begins at `start` of a message
 *
 * @throws {STUNProtocolError} the value is not what its type demands
 */
// eslint-disable-next-line complexity
export function decodeAttribute (code: number, bytes: Buffer, start: number, length: number): Attribute {
  // not a look-up of the name and a switch by it: that took longer than the rest
  switch (code) {
    case ATTRIBUTE_CODES['XOR-MAPPED-ADDRESS']:
      return { type: 'XOR-MAPPED-ADDRESS', address: decodeAddress(bytes, start, length, true) }
    case ATTRIBUTE_CODES['MAPPED-ADDRESS']:
      return { type: 'MAPPED-ADDRESS', address: decodeAddress(bytes, start, length) }
    case ATTRIBUTE_CODES['RESPONSE-ORIGIN']:
      return { type: 'RESPONSE-ORIGIN', address: decodeAddress(bytes, start, length) }
    case ATTRIBUTE_CODES['OTHER-ADDRESS']:
      return { type: 'OTHER-ADDRESS', address: decodeAddress(bytes, start, length) }
    case ATTRIBUTE_CODES['ALTERNATE-SERVER']:
      return { type: 'ALTERNATE-SERVER', address: decodeAddress(bytes, start, length) }
    case ATTRIBUTE_CODES.SOFTWARE:
      return { type: 'SOFTWARE', value: decodeText('SOFTWARE', bytes, start, length) }
    case ATTRIBUTE_CODES.USERNAME:
      return { type: 'USERNAME', value: decodeText('USERNAME', bytes, start, length) }
    case ATTRIBUTE_CODES.REALM:
      return { type: 'REALM', value: decodeText('REALM', bytes, start, length) }
    case ATTRIBUTE_CODES.NONCE:
      return { type: 'NONCE', value: decodeText('NONCE', bytes, start, length) }
    case ATTRIBUTE_CODES['ALTERNATE-DOMAIN']:
      return { type: 'ALTERNATE-DOMAIN', value: decodeText('ALTERNATE-DOMAIN', bytes, start, length) }
    case ATTRIBUTE_CODES.FINGERPRINT:
      assertLength('FINGERPRINT', length, length === 4)
      return { type: 'FINGERPRINT', crc: readUint32(bytes, start) }
    case ATTRIBUTE_CODES['MESSAGE-INTEGRITY']:
      assertLength('MESSAGE-INTEGRITY', length, length === 20)
      return { type: 'MESSAGE-INTEGRITY', hmac: view(bytes, start, length) }
    case ATTRIBUTE_CODES['MESSAGE-INTEGRITY-SHA256']:
      assertLength('MESSAGE-INTEGRITY-SHA256', length, isSHA256Length(length))
      return { type: 'MESSAGE-INTEGRITY-SHA256', hmac: view(bytes, start, length) }
    case ATTRIBUTE_CODES['ERROR-CODE']:
      return decodeErrorCode(bytes, start, length)
    case ATTRIBUTE_CODES['UNKNOWN-ATTRIBUTES']:
      assertLength('UNKNOWN-ATTRIBUTES', length, length % 2 === 0)
      return { type: 'UNKNOWN-ATTRIBUTES', codes: Array.from({ length: length / 2 }, (_, i) => readUint16(bytes, start + 2 * i)) }
    case ATTRIBUTE_CODES.USERHASH:
      assertLength('USERHASH', length, length === 32)
      return { type: 'USERHASH', value: view(bytes, start, length) }
    case ATTRIBUTE_CODES['PASSWORD-ALGORITHM']: {
      const algorithms = decodePasswordAlgorithms('PASSWORD-ALGORITHM', bytes, start, length)
      assertLength('PASSWORD-ALGORITHM', length, algorithms.length === 1)
      return { type: 'PASSWORD-ALGORITHM', ...algorithms[0] }
    }
    case ATTRIBUTE_CODES['PASSWORD-ALGORITHMS']:
      return { type: 'PASSWORD-ALGORITHMS', algorithms: decodePasswordAlgorithms('PASSWORD-ALGORITHMS', bytes, start, length) }
    case ATTRIBUTE_CODES['CHANGE-REQUEST']:
      assertLength('CHANGE-REQUEST', length, length === 4)
      return { type: 'CHANGE-REQUEST', changeIP: (bytes[start + 3] & 0x04) !== 0, changePort: (bytes[start + 3] & 0x02) !== 0 }
    case ATTRIBUTE_CODES.PADDING:
      return { type: 'PADDING', value: view(bytes, start, length) }
    case ATTRIBUTE_CODES['RESPONSE-PORT']:
      // two bytes and two of padding, which some count
      assertLength('RESPONSE-PORT', length, length === 2 || length === 4)
      return { type: 'RESPONSE-PORT', port: readUint16(bytes, start) }
    default:
      return { type: 'UNKNOWN', code, value: view(bytes, start, length) }
  }
}

function assertLength (type: string, length: number, valid: boolean): void {
  if (!valid) {
    throw new STUNProtocolError(`${type} of ${length} bytes`)
  }
}

/**
 * It may be cut (RFC 8489, section 14.6)
 */
export function isSHA256Length (length: number): boolean {
  return length >= 16 && length <= 32 && length % 4 === 0
}

function writeFixed (type: string, value: Uint8Array, fits: boolean, out: Uint8Array, offset: number): number {
  if (!fits) {
    throw new InvalidParametersError(`${type} can not have ${value.byteLength} bytes`)
  }

  return writeBytes(value, out, offset)
}

function writeText (type: string, text: string, max: number, out: Buffer, offset: number): number {
  const length = out.write(text, offset)

  if (length > max) {
    throw new InvalidParametersError(`${type} has more than ${max} bytes`)
  }

  return offset + length
}

function decodeText (type: string, bytes: Buffer, start: number, length: number): string {
  assertLength(type, length, length <= MAX_TEXT[type])

  return bytes.toString('utf8', start, start + length)
}

/**
 * RFC 8489, section 14.8: the hundreds and the rest in a byte each
 */
function writeErrorCode (code: number, reason: string, out: Buffer, offset: number): number {
  if (!Number.isInteger(code) || code < 300 || code > 699) {
    throw new InvalidParametersError(`ERROR-CODE must be 300 to 699, not ${code}`)
  }

  writeUint32(Math.floor(code / 100) << 8 | code % 100, out, offset)

  return writeText('The reason of ERROR-CODE', reason, MAX_REASON, out, offset + 4)
}

function decodeErrorCode (bytes: Buffer, start: number, length: number): Attribute {
  assertLength('ERROR-CODE', length, length >= 4 && length <= 4 + MAX_REASON)
  const hundreds = bytes[start + 2] & 0x07
  const rest = bytes[start + 3]

  if (hundreds < 3 || hundreds > 6 || rest > 99) {
    throw new STUNProtocolError(`ERROR-CODE of class ${hundreds} and number ${rest}`)
  }

  return { type: 'ERROR-CODE', code: hundreds * 100 + rest, reason: bytes.toString('utf8', start + 4, start + length) }
}

/**
 * RFC 8489, section 14.12: the parameters are padded, the last ones too
 */
function writePasswordAlgorithm ({ algorithm, parameters }: PasswordAlgorithm, out: Uint8Array, offset: number): number {
  writeUint16(algorithm, out, offset)
  writeUint16(parameters.byteLength, out, offset + 2)

  return writePadding(0, out, writeBytes(parameters, out, offset + 4))
}

function decodePasswordAlgorithms (type: string, bytes: Buffer, start: number, length: number): PasswordAlgorithm[] {
  const algorithms: PasswordAlgorithm[] = []
  let offset = 0

  while (offset < length) {
    assertLength(type, length, offset + 4 <= length)
    const parameters = start + offset + 4
    const parametersLength = readUint16(bytes, parameters - 2)
    assertLength(type, length, offset + 4 + parametersLength <= length)
    algorithms.push({
      algorithm: readUint16(bytes, parameters - 4),
      parameters: view(bytes, parameters, parametersLength)
    })
    offset += 4 + padded(parametersLength)
  }

  return algorithms
}

function writeBytes (value: Uint8Array, out: Uint8Array, offset: number): number {
  if (value.byteLength > out.byteLength - offset) {
    throw new InvalidParametersError(`${value.byteLength} bytes are too many for an attribute`)
  }

  out.set(value, offset)

  return offset + value.byteLength
}

/**
 * Fill up to where the next attribute begins, and return that
 */
export function writePadding (padding: number, out: Uint8Array, offset: number): number {
  while (offset % 4 !== 0) {
    out[offset++] = padding
  }

  return offset
}

/**
 * Attributes begin at a multiple of four bytes (RFC 8489, section 14)
 */
export function padded (length: number): number {
  return length + 3 & ~3
}
