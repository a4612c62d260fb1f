import { InvalidParametersError } from '@libp2p/interface'
import { decodeAddress, writeAddress, writePort, xorAddressInPlace } from './address.ts'
import { readUint16, readUint32, view, writeUint16, writeUint32 } from './bytes.ts'
import { HEADER_LENGTH, TRANSACTION_ID_LENGTH } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * How one type of attribute is written and read
 */
export interface AttributeCodec<A> {
  type: string

  /**
   * The number of the type on the wire
   */
  code: number

  /**
   * Write the value, every byte of it: the memory may not be empty. Returns where
   * the value ends. `header` is where the message begins.
   *
   * @throws {InvalidParametersError} the attribute holds what cannot be sent
   */
  write(attribute: A, out: Buffer, offset: number, header: number): number

  /**
   * Read the value of `length` bytes that begins at `start` of a message
   *
   * @throws {STUNProtocolError} the value is not what its type demands
   */
  decode(bytes: Buffer, start: number, length: number): A
}

/**
 * RFC 8489, sections 14.1 and 14.15; RFC 5780, sections 7.3 and 7.4
 */
export interface AddressAttribute<T extends string> {
  type: T
  address: Endpoint
}

/**
 * UTF-8 (RFC 8489, sections 14.3, 14.9, 14.10, 14.14 and 14.16)
 */
export interface TextAttribute<T extends string> {
  type: T
  value: string
}

/**
 * Bytes that this module does not look into
 */
export interface BytesAttribute<T extends string> {
  type: T
  value: Uint8Array
}

/**
 * Room that a message needs behind its last byte, so that a text can be written
 * before its length is checked
 */
export const MAX_TEXT_LENGTH = 1_024

const MAX_REASON = 763

export function address<T extends string> (type: T, code: number): AttributeCodec<AddressAttribute<T>> {
  return {
    type,
    code,
    write: ({ address }, out, offset) => writeAddress(address, out, offset),
    decode: (bytes, start, length) => ({ type, address: decodeAddress(bytes, start, length) })
  }
}

/**
 * An address XORed with the magic cookie and the transaction id (RFC 8489, section
 * 14.2)
 */
export function xorAddress<T extends string> (type: T, code: number): AttributeCodec<AddressAttribute<T>> {
  return {
    type,
    code,
    write: ({ address }, out, offset, header) => {
      const end = writeAddress(address, out, offset)
      xorAddressInPlace(out, offset, end, out, header + HEADER_LENGTH - TRANSACTION_ID_LENGTH)

      return end
    },
    decode: (bytes, start, length) => ({ type, address: decodeAddress(bytes, start, length, true) })
  }
}

/**
 * A text of up to `max` bytes
 */
export function text<T extends string> (type: T, code: number, max: number): AttributeCodec<TextAttribute<T>> {
  return {
    type,
    code,
    write: ({ value }, out, offset) => writeText(type, value, max, out, offset),
    decode: (bytes, start, length) => {
      assertLength(type, length, length <= max)

      return { type, value: bytes.toString('utf8', start, start + length) }
    }
  }
}

/**
 * Bytes whose number is limited by `isLength`
 */
export function bytes<T extends string> (
  type: T, code: number, isLength: (length: number) => boolean
): AttributeCodec<BytesAttribute<T>> {
  return {
    type,
    code,
    write: ({ value }, out, offset) => {
      if (!isLength(value.byteLength)) {
        throw new InvalidParametersError(`${type} cannot have ${value.byteLength} bytes`)
      }

      return writeBytes(value, out, offset)
    },
    decode: (bytes, start, length) => {
      assertLength(type, length, isLength(length))

      return { type, value: view(bytes, start, length) }
    }
  }
}

/**
 * The CRC-32 of RFC 8489, section 14.7
 */
export function checksum<T extends string> (type: T, code: number): AttributeCodec<{ type: T, crc: number }> {
  return {
    type,
    code,
    write: ({ crc }, out, offset) => writeUint32(crc, out, offset),
    decode: (bytes, start, length) => {
      assertLength(type, length, length === 4)

      return { type, crc: readUint32(bytes, start) }
    }
  }
}

/**
 * RFC 8489, section 14.8: the hundreds and the rest in one byte each, and a reason
 */
export function errorCode<T extends string> (
  type: T, code: number
): AttributeCodec<{ type: T, code: number, reason: string }> {
  return {
    type,
    code,
    write: ({ code, reason }, out, offset) => {
      if (!Number.isInteger(code) || code < 300 || code > 699) {
        throw new InvalidParametersError(`${type} must be 300 to 699, not ${code}`)
      }

      writeUint32(Math.floor(code / 100) << 8 | code % 100, out, offset)

      return writeText(`The reason of ${type}`, reason, MAX_REASON, out, offset + 4)
    },
    decode: (bytes, start, length) => {
      assertLength(type, length, length >= 4 && length <= 4 + MAX_REASON)
      const hundreds = bytes[start + 2] & 0x07
      const rest = bytes[start + 3]

      if (hundreds < 3 || hundreds > 6 || rest > 99) {
        throw new STUNProtocolError(`${type} has class ${hundreds} and number ${rest}`)
      }

      return { type, code: hundreds * 100 + rest, reason: bytes.toString('utf8', start + 4, start + length) }
    }
  }
}

/**
 * A list of attribute types (RFC 8489, section 14.13)
 */
export function codes<T extends string> (type: T, code: number): AttributeCodec<{ type: T, codes: number[] }> {
  return {
    type,
    code,
    write: ({ codes }, out, offset) => codes.reduce((offset, code) => writeUint16(code, out, offset), offset),
    decode: (bytes, start, length) => {
      assertLength(type, length, length % 2 === 0)

      return { type, codes: Array.from({ length: length / 2 }, (_, i) => readUint16(bytes, start + 2 * i)) }
    }
  }
}

/**
 * RFC 5780, section 7.2
 */
export function changeRequest<T extends string> (
  type: T, code: number
): AttributeCodec<{ type: T, changeIP: boolean, changePort: boolean }> {
  return {
    type,
    code,
    write: ({ changeIP, changePort }, out, offset) => {
      return writeUint32((changeIP ? 0x04 : 0) | (changePort ? 0x02 : 0), out, offset)
    },
    decode: (bytes, start, length) => {
      assertLength(type, length, length === 4)

      return { type, changeIP: (bytes[start + 3] & 0x04) !== 0, changePort: (bytes[start + 3] & 0x02) !== 0 }
    }
  }
}

/**
 * RFC 5780, section 7.5: two bytes and two of padding, which some senders count
 */
export function port<T extends string> (type: T, code: number): AttributeCodec<{ type: T, port: number }> {
  return {
    type,
    code,
    write: ({ port }, out, offset) => writePort(port, out, offset),
    decode: (bytes, start, length) => {
      assertLength(type, length, length === 2 || length === 4)

      return { type, port: readUint16(bytes, start) }
    }
  }
}

export function writeBytes (value: Uint8Array, out: Uint8Array, offset: number): number {
  if (value.byteLength > out.byteLength - offset) {
    throw new InvalidParametersError(`${value.byteLength} bytes are too many for an attribute`)
  }

  out.set(value, offset)

  return offset + value.byteLength
}

function writeText (what: string, text: string, max: number, out: Buffer, offset: number): number {
  const length = out.write(text, offset)

  if (length > max) {
    throw new InvalidParametersError(`${what} has more than ${max} bytes`)
  }

  return offset + length
}

function assertLength (type: string, length: number, valid: boolean): void {
  if (!valid) {
    throw new STUNProtocolError(`${type} has ${length} bytes`)
  }
}
