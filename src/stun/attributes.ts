import { InvalidParametersError } from '@libp2p/interface'
import {
  address, bytes, changeRequest, checksum, codes, errorCode, port, text, writeBytes, xorAddress
} from './attribute-codecs.ts'
import { view } from './bytes.ts'
import type { AttributeCodec } from './attribute-codecs.ts'

/**
 * The longest text: 127 characters, of up to 6 bytes in the UTF-8 that RFC 8489
 * counts with
 */
const MAX_TEXT = 763

const any = (): boolean => true
const exactly = (expected: number) => (length: number): boolean => length === expected

/**
 * It may be cut (RFC 8489, section 14.6)
 */
const isSHA256Length = (length: number): boolean => length >= 16 && length <= 32 && length % 4 === 0

/**
 * The attributes that a Binding can carry: RFC 8489, section 18.3, and of RFC 5780,
 * section 7, what works over TCP. Those of credentials other than short-term ones
 * are known, so that they do not count as unknown, but not read.
 */
const CODECS = [
  address('MAPPED-ADDRESS', 0x0001),
  changeRequest('CHANGE-REQUEST', 0x0003),
  text('USERNAME', 0x0006, 508),
  bytes('MESSAGE-INTEGRITY', 0x0008, exactly(20)),
  errorCode('ERROR-CODE', 0x0009),
  codes('UNKNOWN-ATTRIBUTES', 0x000a),
  text('REALM', 0x0014, MAX_TEXT),
  text('NONCE', 0x0015, MAX_TEXT),
  bytes('MESSAGE-INTEGRITY-SHA256', 0x001c, isSHA256Length),
  bytes('PASSWORD-ALGORITHM', 0x001d, any),
  bytes('USERHASH', 0x001e, exactly(32)),
  xorAddress('XOR-MAPPED-ADDRESS', 0x0020),
  bytes('PADDING', 0x0026, any),
  port('RESPONSE-PORT', 0x0027),
  bytes('PASSWORD-ALGORITHMS', 0x8002, any),
  text('ALTERNATE-DOMAIN', 0x8003, 255),
  text('SOFTWARE', 0x8022, MAX_TEXT),
  address('ALTERNATE-SERVER', 0x8023),
  checksum('FINGERPRINT', 0x8028),
  address('RESPONSE-ORIGIN', 0x802b),
  address('OTHER-ADDRESS', 0x802c)
]

type AttributeOf<C> = C extends AttributeCodec<infer A> ? A : never
type KnownAttribute = AttributeOf<typeof CODECS[number]>

/**
 * Any other attribute, by its code
 */
export interface UnknownAttribute {
  type: 'UNKNOWN'
  code: number
  value: Uint8Array
}

/**
 * An attribute of a message, told apart by `type`. The address of
 * XOR-MAPPED-ADDRESS is the real one, not the XORed one.
 */
export type Attribute = KnownAttribute | UnknownAttribute

export type AttributeType = Attribute['type']

/**
 * The numbers of the known types on the wire
 */
export const ATTRIBUTE_CODES = Object.fromEntries(CODECS.map(({ type, code }) => [type, code])) as
  Record<KnownAttribute['type'], number>

const BY_TYPE = new Map<string, AttributeCodec<any>>(CODECS.map(codec => [codec.type, codec]))

/**
 * By `toIndex` of the code, which differs for all known codes: a Map takes longer
 */
const BY_CODE: Array<AttributeCodec<any> | undefined> = Array.from({ length: 128 }, (_, i) => {
  return CODECS.find(({ code }) => toIndex(code) === i)
})

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
 * return where it ends
 *
 * @throws {InvalidParametersError} the attribute holds what cannot be sent
 */
export function writeValue (attribute: Attribute, out: Buffer, offset: number, header: number): number {
  if (attribute.type === 'UNKNOWN') {
    if (!(attribute.code >= 0 && attribute.code <= 0xffff)) {
      throw new InvalidParametersError(`An attribute's code has 16 bits, not ${attribute.code}`)
    }

    return writeBytes(attribute.value, out, offset)
  }

  const codec = BY_TYPE.get(attribute.type)

  if (codec == null) {
    throw new InvalidParametersError(`There is no attribute ${attribute.type}`)
  }

  return codec.write(attribute, out, offset, header)
}

/**
 * The attribute whose value begins at `start` of a message
 *
 * @throws {STUNProtocolError} the value is not what its type demands
 */
export function decodeAttribute (code: number, bytes: Buffer, start: number, length: number): Attribute {
  const codec = BY_CODE[toIndex(code)]

  return codec?.code === code
    ? codec.decode(bytes, start, length)
    : { type: 'UNKNOWN', code, value: view(bytes, start, length) }
}

/**
 * The lowest six bits, and the highest one
 */
function toIndex (code: number): number {
  return code >>> 9 & 0x40 | code & 0x3f
}
