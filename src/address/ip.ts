import { isIPv6 } from 'node:net'

/**
 * IP addresses as bytes and as text, and their subnets
 */

const DOT = '.'.charCodeAt(0) - '0'.charCodeAt(0)

/**
 * The text of each byte, as the first of an IPv4 address and as one of the others
 */
const FIRST = Array.from({ length: 256 }, (_, byte) => `${byte}`)
const NEXT = FIRST.map(byte => `.${byte}`)

/**
 * How many bits of an address name its network
 */
export interface SubnetPrefix {
  /**
   * 0 to 32
   */
  ipv4: number

  /**
   * 0 to 128
   */
  ipv6: number
}

/**
 * Write an IPv4 address as 4 bytes. Reads digit by digit and is as strict as
 * `isIPv4`, which alone would take as long.
 *
 * @returns whether the text is an IPv4 address
 */
export function writeIPv4 (host: string, out: Uint8Array, offset: number): boolean {
  const last = offset + 3
  // -1: this byte has no digit yet
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
 * Write an IPv6 address as 16 bytes
 *
 * @returns whether the text is an IPv6 address without a zone
 */
export function writeIPv6 (host: string, out: Uint8Array, offset: number): boolean {
  if (!isIPv6(host) || host.includes('%')) {
    return false
  }

  const [head, tail] = host.split('::')
  const first = toGroups(head)
  const last = tail == null ? [] : toGroups(tail)

  out.fill(0, offset, offset + 16)
  writeGroups(first, out, offset)
  writeGroups(last, out, offset + 2 * (8 - last.length))

  return true
}

/**
 * The text of an IPv4 address. Not a template: that makes twice as many strings.
 *
 * @param address - its 32 bits
 */
export function formatIPv4 (address: number): string {
  return FIRST[address >>> 24] + NEXT[address >>> 16 & 0xff] + NEXT[address >>> 8 & 0xff] + NEXT[address & 0xff]
}

/**
 * The text of an IPv6 address in the form of RFC 5952: lower case, no leading
 * zeros, the first longest run of two or more zero groups as `::`
 *
 * @param groups - its eight groups of 16 bits
 */
export function formatIPv6 (groups: number[]): string {
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

/**
 * The 16 bytes of an address. An IPv4 address becomes IPv4-mapped (RFC 4291,
 * section 2.5.5.2), so that both families compare alike. A zone is ignored.
 *
 * @returns `undefined` when the text is not an IP address
 */
export function toBytes (host: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16)

  if (!host.includes(':')) {
    bytes[10] = bytes[11] = 0xff

    return writeIPv4(host, bytes, 12) ? bytes : undefined
  }

  const [address] = host.split('%')

  return isIPv6(host) && writeIPv6(address, bytes, 0) ? bytes : undefined
}

/**
 * The IPv4 address that an IPv4-mapped IPv6 address stands for, and any other
 * text as it is. A socket that listens on `::` for both families reports the
 * IPv4 address 1.2.3.4 as ::ffff:1.2.3.4.
 */
export function unmapIPv4 (host: string): string {
  if (!host.includes(':')) {
    return host
  }

  const bytes = toBytes(host)

  return bytes != null && isIPv4Mapped(bytes) ? formatBytes(bytes) : host
}

/**
 * The network that an address belongs to, in the form of 1.2.3.0/24 or
 * 2001:db8::/48. An IPv4-mapped address counts as IPv4; what is not an IP
 * address is a network of its own.
 */
export function subnetOf (host: string, { ipv4, ipv6 }: SubnetPrefix): string {
  const bytes = toBytes(host)

  if (bytes == null) {
    return host
  }

  const isIPv4 = isIPv4Mapped(bytes)
  const prefix = isIPv4 ? ipv4 : ipv6
  clearAfter(bytes, isIPv4 ? 96 + prefix : prefix)

  return `${formatBytes(bytes)}/${prefix}`
}

function isIPv4Mapped (bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every(byte => byte === 0)
}

function formatBytes (bytes: Uint8Array): string {
  if (isIPv4Mapped(bytes)) {
    return formatIPv4(bytes[12] << 24 | bytes[13] << 16 | bytes[14] << 8 | bytes[15])
  }

  return formatIPv6(Array.from({ length: 8 }, (_, i) => bytes[2 * i] << 8 | bytes[2 * i + 1]))
}

/**
 * Set all bits behind the first `prefix` ones to zero
 */
function clearAfter (bytes: Uint8Array, prefix: number): void {
  const whole = prefix >>> 3

  if (whole < bytes.length) {
    bytes[whole] &= 0xff00 >>> (prefix & 7)
    bytes.fill(0, whole + 1)
  }
}

/**
 * The 16 bit groups of `1:2:3.4.5.6`
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

function writeGroups (groups: number[], out: Uint8Array, offset: number): void {
  for (const group of groups) {
    out[offset++] = group >>> 8
    out[offset++] = group & 0xff
  }
}
