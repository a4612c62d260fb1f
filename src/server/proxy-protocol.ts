import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { InvalidParametersError } from '@libp2p/interface'
import { unmapIPv4 } from '../address/ip.ts'
import { decodeAddress } from '../stun/address.ts'
import { STUNProtocolError } from '../stun/errors.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * The longest line of version 1 in bytes, with its CR LF (PROXY protocol, section
 * 2.1)
 */
const MAX_V1_LENGTH = 107

/**
 * A header of version 2 begins with 16 bytes that announce the rest: addresses of
 * up to 216 bytes, and what a load balancer adds. Longer ones are rejected.
 */
const V2_HEADER_LENGTH = 16
const MAX_V2_LENGTH = 2_048

const V1_PREFIX = Buffer.from('PROXY ')
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n')

/**
 * What a PROXY header says:
 *
 * - `incomplete`: more bytes are needed
 * - `proxied`: the client's address, and the address that it connected to
 * - `local`: a health check by the proxy itself, or a client that it does not know
 */
export type ProxyHeader =
  { type: 'incomplete' } |
  { type: 'proxied', length: number, source: Endpoint, destination: Endpoint } |
  { type: 'local', length: number }

/**
 * Parse the PROXY protocol header, version 1 or 2, at the start of these bytes.
 * Anything else is rejected at its first wrong byte. IPv4-mapped addresses become
 * IPv4: a dual-stack proxy reports its IPv4 clients that way.
 *
 * @throws {STUNProtocolError} there is no header, or it is malformed
 */
export function parseProxyHeader (bytes: Uint8Array): ProxyHeader {
  if (beginsWith(bytes, V2_SIGNATURE)) {
    return parseV2(bytes)
  }

  if (beginsWith(bytes, V1_PREFIX)) {
    return parseV1(bytes)
  }

  throw new STUNProtocolError('no PROXY header from a trusted proxy')
}

/**
 * Whether the bytes, as far as there are any, match this start
 */
function beginsWith (bytes: Uint8Array, start: Uint8Array): boolean {
  const length = Math.min(bytes.byteLength, start.byteLength)

  return Buffer.compare(bytes.subarray(0, length), start.subarray(0, length)) === 0
}

function parseV1 (bytes: Uint8Array): ProxyHeader {
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, MAX_V1_LENGTH)).toString('latin1')
  const end = line.indexOf('\r\n')

  if (end === -1) {
    if (line.length >= MAX_V1_LENGTH) {
      throw new STUNProtocolError('a PROXY line without an end')
    }

    return { type: 'incomplete' }
  }

  const length = end + 2

  if (line.startsWith('PROXY UNKNOWN') && (end === 13 || line[13] === ' ')) {
    return { type: 'local', length }
  }

  const [, family, source, destination, sourcePort, destinationPort] =
    /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line.slice(0, end)) ?? []
  const isFamily = family === '4' ? isIPv4 : isIPv6
  const isAddress = (host: string): boolean => isFamily(host) && !host.includes('%')

  if (
    family == null ||
    !isAddress(source) ||
    !isAddress(destination) ||
    Number(sourcePort) > 0xffff ||
    Number(destinationPort) > 0xffff
  ) {
    throw new STUNProtocolError('a malformed PROXY line')
  }

  return {
    type: 'proxied',
    length,
    source: { host: canonical(source), port: Number(sourcePort) },
    destination: { host: canonical(destination), port: Number(destinationPort) }
  }
}

/**
 * The one form of an address, so that each address counts as one
 */
function canonical (host: string): string {
  return unmapIPv4(isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host)
}

/**
 * PROXY protocol, section 2.2
 */
function parseV2 (bytes: Uint8Array): ProxyHeader {
  // version 2, command LOCAL or PROXY
  if (bytes.byteLength > 12 && bytes[12] !== 0x20 && bytes[12] !== 0x21) {
    throw new STUNProtocolError(`a PROXY header of version and command 0x${bytes[12].toString(16)}`)
  }

  if (bytes.byteLength < V2_HEADER_LENGTH) {
    return { type: 'incomplete' }
  }

  const length = V2_HEADER_LENGTH + (bytes[14] << 8 | bytes[15])

  if (length > MAX_V2_LENGTH) {
    throw new STUNProtocolError(`a PROXY header of ${length} bytes, more than ${MAX_V2_LENGTH}`)
  }

  if (bytes.byteLength < length) {
    return { type: 'incomplete' }
  }

  // LOCAL, or a family that is not specified
  if (bytes[12] === 0x20 || bytes[13] === 0x00) {
    return { type: 'local', length }
  }

  // TCP over IPv4, TCP over IPv6
  const size = bytes[13] === 0x11 ? 4 : bytes[13] === 0x21 ? 16 : 0

  if (size === 0 || length < V2_HEADER_LENGTH + 2 * size + 4) {
    throw new STUNProtocolError(
      `a PROXY header of family and protocol 0x${bytes[13].toString(16)} with ${length} bytes`
    )
  }

  const ports = V2_HEADER_LENGTH + 2 * size
  const endpoint = (address: number, port: number): Endpoint => {
    const value = Uint8Array.of(
      0,
      size === 4 ? 1 : 2,
      bytes[port],
      bytes[port + 1],
      ...bytes.subarray(address, address + size)
    )
    const { host, port: number } = decodeAddress(value)

    return { host: unmapIPv4(host), port: number }
  }

  return {
    type: 'proxied',
    length,
    source: endpoint(V2_HEADER_LENGTH, ports),
    destination: endpoint(V2_HEADER_LENGTH + size, ports + 2)
  }
}

/**
 * Tests whether an address is in one of these networks, each written like
 * `10.0.0.0/8` or as a single address
 *
 * @throws {InvalidParametersError} one is not a network
 */
export function networkMatcher (cidrs: string[]): (host: string) => boolean {
  const list = new BlockList()

  for (const cidr of cidrs) {
    const [, host, bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(cidr) ?? []
    const family = isIP(host ?? '')
    const max = family === 4 ? 32 : 128

    if (family === 0 || host.includes('%') || Number(bits ?? max) > max) {
      throw new InvalidParametersError(`A network is written like 10.0.0.0/8 or 2001:db8::/32, not ${cidr}`)
    }

    list.addSubnet(host, Number(bits ?? max), family === 4 ? 'ipv4' : 'ipv6')
  }

  return host => list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
}
