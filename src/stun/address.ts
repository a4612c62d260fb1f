import { InvalidParametersError } from '@libp2p/interface'
import { formatIPv4, formatIPv6, writeIPv4, writeIPv6 } from '../address/ip.ts'
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
 * Write an address as the value of MAPPED-ADDRESS has it (RFC 8489, section 14.1).
 * Returns where the value ends.
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
 * The address whose value begins at `start` of these bytes. With `xor` the bytes are
 * a message, and the value is that of XOR-MAPPED-ADDRESS.
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
 * XOR the value of an address attribute, from `start` to `end` of these bytes, with
 * the cookie and the transaction id, as XOR-MAPPED-ADDRESS has it (RFC 8489, section
 * 14.2)
 */
export function xorAddressInPlace (
  out: Uint8Array, start: number, end: number, transactionId: Uint8Array, idOffset: number
): void {
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
 * The groups of an IPv6 address. With `xor` they are XORed with the cookie and the
 * transaction id, which follow each other in the header of the message.
 */
function readGroups (bytes: Uint8Array, offset: number, xor: boolean): number[] {
  const group = (i: number): number => readUint16(bytes, offset + 2 * i) ^ (xor ? readUint16(bytes, 4 + 2 * i) : 0)

  return Array.from({ length: 8 }, (_, i) => group(i))
}
