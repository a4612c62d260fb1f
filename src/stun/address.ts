import { isIPv4, isIPv6 } from 'node:net'
import { InvalidParametersError } from '@libp2p/interface'
import { MAGIC_COOKIE } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * The address family codes of RFC 8489, section 14.1
 */
const FAMILY_IPV4 = 0x01
const FAMILY_IPV6 = 0x02

const COOKIE_BYTES = [0x21, 0x12, 0xa4, 0x42]

/**
 * The value of MAPPED-ADDRESS and its kin (RFC 8489, section 14.1)
 *
 * @throws {InvalidParametersError} not an IP address, or not a port
 */
export function encodeAddress (endpoint: Endpoint): Uint8Array {
  const { host, port } = endpoint

  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new InvalidParametersError(`Not a port: ${port}`)
  }

  if (!isIPv4(host) && (!isIPv6(host) || host.includes('%'))) {
    throw new InvalidParametersError(`Not an IP address: ${host}`)
  }

  const value = new Uint8Array(host.includes(':') ? 20 : 8)
  writeAddress(endpoint, value, 0)

  return value
}

/**
 * The same into bytes that are there already, for an endpoint that is known to be valid. Returns where it ends.
 */
export function writeAddress ({ host, port }: Endpoint, out: Uint8Array, offset: number): number {
  const v6 = host.includes(':')
  out[offset] = 0
  out[offset + 1] = v6 ? FAMILY_IPV6 : FAMILY_IPV4
  out[offset + 2] = port >>> 8
  out[offset + 3] = port

  if (v6) {
    out.fill(0, offset + 4, offset + 20)
    writeIPv6(host, out, offset + 4)
    return offset + 20
  }

  writeIPv4(host, out, offset + 4)
  return offset + 8
}

/**
 * @throws {STUNProtocolError} unknown family, or wrong length for it
 */
export function decodeAddress (value: Uint8Array): Endpoint {
  const length = value[1] === FAMILY_IPV4 ? 8 : value[1] === FAMILY_IPV6 ? 20 : 0

  if (value.byteLength < 4 || length === 0) {
    throw new STUNProtocolError(`an address of unknown family ${value[1]}`)
  }

  if (value.byteLength !== length) {
    throw new STUNProtocolError(`an IPv${length === 8 ? 4 : 6} address of ${value.byteLength} bytes`)
  }

  return {
    host: length === 8 ? `${value[4]}.${value[5]}.${value[6]}.${value[7]}` : formatIPv6(value, 4),
    port: value[2] << 8 | value[3]
  }
}

/**
 * XOR the value of an address attribute with the cookie and the transaction id:
 * turns it into that of XOR-MAPPED-ADDRESS and back (RFC 8489, section 14.2)
 */
export function xorAddress (value: Uint8Array, transactionId: Uint8Array): Uint8Array {
  // not slice(): that of a Buffer shares its memory
  const out = Uint8Array.from(value)
  xorAddressInPlace(out, 0, Math.min(out.byteLength, 20), transactionId, 0)

  return out
}

/**
 * The same for the value from `start` to `end` of these bytes
 */
export function xorAddressInPlace (out: Uint8Array, start: number, end: number, transactionId: Uint8Array, idOffset: number): void {
  if (end - start >= 4) {
    out[start + 2] ^= MAGIC_COOKIE >>> 24
    out[start + 3] ^= MAGIC_COOKIE >>> 16 & 0xff
  }

  for (let i = 4; i < end - start; i++) {
    out[start + i] ^= i < 8 ? COOKIE_BYTES[i - 4] : transactionId[idOffset + i - 8]
  }
}

/**
 * Digit by digit: the server does it for every answer
 */
function writeIPv4 (host: string, out: Uint8Array, offset: number): void {
  let byte = 0

  for (let i = 0; i < host.length; i++) {
    const digit = host.charCodeAt(i) - 48

    if (digit >= 0) {
      byte = byte * 10 + digit
    } else {
      out[offset++] = byte
      byte = 0
    }
  }

  out[offset] = byte
}

function writeIPv6 (host: string, out: Uint8Array, offset: number): void {
  const [head, tail] = host.split('::')
  const first = toGroups(head)
  const last = tail == null ? [] : toGroups(tail)

  first.forEach((group, i) => { writeGroup(group, out, offset + 2 * i) })
  last.forEach((group, i) => { writeGroup(group, out, offset + 2 * (8 - last.length + i)) })
}

function writeGroup (group: number, out: Uint8Array, offset: number): void {
  out[offset] = group >>> 8
  out[offset + 1] = group
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
 * In the form of RFC 5952: lower case, no leading zeros, the first longest run
 * of two or more zero groups as `::`
 */
function formatIPv6 (bytes: Uint8Array, offset: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes[offset + 2 * i] << 8 | bytes[offset + 2 * i + 1])
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
    return `::ffff:${bytes.subarray(offset + 12, offset + 16).join('.')}`
  }

  return start === -1 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`
}
