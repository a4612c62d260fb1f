import { isIPv6 } from 'node:net'
import { InvalidParametersError } from '@libp2p/interface'
import { readUint16, readUint32, writeUint16 } from './bytes.ts'
import { MAGIC_COOKIE } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * The address family codes of RFC 8489, section 14.1
 */
const FAMILY_IPV4 = 0x01
const FAMILY_IPV6 = 0x02

/**
 * Among digits that are counted from 0 on
 */
const DOT = -2

/**
 * Bytes as text, the first of an address and the others
 */
const FIRST = Array.from({ length: 256 }, (_, byte) => `${byte}`)
const NEXT = FIRST.map(byte => `.${byte}`)

/**
 * The value of MAPPED-ADDRESS and its kin (RFC 8489, section 14.1)
 *
 * @throws {InvalidParametersError} not an IP address, or not a port
 */
export function encodeAddress (endpoint: Endpoint): Uint8Array {
  const value = new Uint8Array(endpoint.host.includes(':') ? 20 : 8)
  writeAddress(endpoint, value, 0)

  return value
}

/**
 * The same into bytes that are there already. Returns where it ends.
 *
 * @throws {InvalidParametersError} not an IP address, or not a port
 */
export function writeAddress ({ host, port }: Endpoint, out: Uint8Array, offset: number): number {
  const v6 = host.includes(':')
  writeUint16(v6 ? FAMILY_IPV6 : FAMILY_IPV4, out, offset)
  writePort(port, out, offset + 2)

  if (!(v6 ? writeIPv6(host, out, offset + 4) : writeIPv4(host, out, offset + 4))) {
    throw new InvalidParametersError(`Not an IP address: ${host}`)
  }

  return offset + (v6 ? 20 : 8)
}

/**
 * @throws {InvalidParametersError} not a port
 */
export function writePort (port: number, out: Uint8Array, offset: number): number {
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new InvalidParametersError(`Not a port: ${port}`)
  }

  return writeUint16(port, out, offset)
}

/**
 * The address whose value begins at `start` of these bytes. With `xor` they are
 * of a message, and the value is that of XOR-MAPPED-ADDRESS.
 *
 * @throws {STUNProtocolError} unknown family, or wrong length for it
 */
export function decodeAddress (bytes: Uint8Array, start = 0, length = bytes.byteLength, xor = false): Endpoint {
  const family = bytes[start + 1]

  if (length < 4 || (family !== FAMILY_IPV4 && family !== FAMILY_IPV6)) {
    throw new STUNProtocolError(`an address of unknown family ${family}`)
  }

  if (length !== (family === FAMILY_IPV4 ? 8 : 20)) {
    throw new STUNProtocolError(`an IPv${family === FAMILY_IPV4 ? 4 : 6} address of ${length} bytes`)
  }

  const key = xor ? MAGIC_COOKIE : 0

  return {
    host: length === 8 ? formatIPv4(readUint32(bytes, start + 4) ^ key) : formatIPv6(readGroups(bytes, start + 4, xor)),
    port: readUint16(bytes, start + 2) ^ key >>> 16
  }
}

/**
 * XOR the value of an address attribute, from `start` to `end` of these bytes,
 * with the cookie and the transaction id: turns it into that of
 * XOR-MAPPED-ADDRESS (RFC 8489, section 14.2)
 */
export function xorAddressInPlace (out: Uint8Array, start: number, end: number, transactionId: Uint8Array, idOffset: number): void {
  out[start + 2] ^= MAGIC_COOKIE >>> 24
  out[start + 3] ^= MAGIC_COOKIE >>> 16 & 0xff
  out[start + 4] ^= MAGIC_COOKIE >>> 24
  out[start + 5] ^= MAGIC_COOKIE >>> 16 & 0xff
  out[start + 6] ^= MAGIC_COOKIE >>> 8 & 0xff
  out[start + 7] ^= MAGIC_COOKIE & 0xff

  for (let i = start + 8; i < end; i++) {
    out[i] ^= transactionId[idOffset++]
  }
}

/**
 * Digit by digit, and strict as `isIPv4` is, which alone would take as long.
 *
 * @returns whether it is an address
 */
function writeIPv4 (host: string, out: Uint8Array, offset: number): boolean {
  const last = offset + 3
  // none of its digits seen
  let byte = -1

  for (let i = 0; i < host.length; i++) {
    const digit = host.charCodeAt(i) - 48

    if (digit >= 0 && digit <= 9 && byte !== 0 && byte <= 25) {
      byte = byte === -1 ? digit : 10 * byte + digit
    } else if (digit === DOT && byte >= 0 && byte <= 255 && offset < last) {
      out[offset++] = byte
      byte = -1
    } else {
      return false
    }
  }

  out[offset] = byte

  return byte >= 0 && byte <= 255 && offset === last
}

/**
 * @returns whether it is an address, without a zone
 */
function writeIPv6 (host: string, out: Uint8Array, offset: number): boolean {
  if (!isIPv6(host) || host.includes('%')) {
    return false
  }

  const [head, tail] = host.split('::')
  const first = toGroups(head)
  const last = tail == null ? [] : toGroups(tail)

  out.fill(0, offset, offset + 16)
  first.forEach((group, i) => { writeUint16(group, out, offset + 2 * i) })
  last.forEach((group, i) => { writeUint16(group, out, offset + 2 * (8 - last.length + i)) })

  return true
}

/**
 * `1:2:3.4.5.6` as 16 bit groups
 */
function toGroups (text: string): number[] {
  if (text === '') {
    return []
  }

  return text.split(':').flatMap(part => {
    if (!part.includes('.')) {
      return [Number.parseInt(part, 16)]
    }

    const [a, b, c, d] = part.split('.').map(Number)

    return [a << 8 | b, c << 8 | d]
  })
}

/**
 * The groups of an IPv6 address. XORed it is with the message's cookie and
 * transaction id, which follow each other.
 */
function readGroups (bytes: Uint8Array, offset: number, xor: boolean): number[] {
  return Array.from({ length: 8 }, (_, i) => readUint16(bytes, offset + 2 * i) ^ (xor ? readUint16(bytes, 4 + 2 * i) : 0))
}

/**
 * Not by a template: that makes twice as many strings on the way
 */
function formatIPv4 (address: number): string {
  return FIRST[address >>> 24] + NEXT[address >>> 16 & 0xff] + NEXT[address >>> 8 & 0xff] + NEXT[address & 0xff]
}

/**
 * In the form of RFC 5952: lower case, no leading zeros, the first longest run
 * of two or more zero groups as `::`
 */
function formatIPv6 (groups: number[]): string {
  let start = -1
  let length = 1

  for (let i = 0; i < 8; i++) {
    let end = i

    while (end < 8 && groups[end] === 0) {
      end++
    }

    if (end - i > length) {
      start = i
      length = end - i
    }
  }

  const text = (part: number[]): string => part.map(group => group.toString(16)).join(':')

  // an IPv4-mapped address (RFC 5952, section 5)
  if (start === 0 && length === 5 && groups[5] === 0xffff) {
    return `::ffff:${formatIPv4(groups[6] << 16 | groups[7])}`
  }

  return start === -1 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}
