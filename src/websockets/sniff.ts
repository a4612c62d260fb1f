/**
 * Which protocol the first bytes of an accepted connection belong to. Pure.
 */

export type Protocol = 'libp2p' | 'tls' | 'http' | 'stun'

/**
 * The lowest and the highest value that each byte may have, from the first on
 */
type Signature = Array<[min: number, max: number]>

interface KnownProtocol {
  protocol: Exclude<Protocol, 'libp2p'>
  signature: Signature
}

const ANY: Signature[number] = [0, 0xff]

/**
 * A node of a private network sends this many random bytes first (libp2p's
 * Pre-shared-Key specification)
 */
const NONCE_LENGTH = 24

/**
 * The methods of RFC 9110 and RFC 5789, and the PRI of HTTP/2, which is told that this is
 * HTTP/1.1
 */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE', 'PRI']

/**
 * A handshake record (RFC 8446, section 5.1) of version 3.1 to 3.3
 */
const TLS: Signature = [exactly(0x16), exactly(0x03), [0x01, 0x03]]

/**
 * The record must also be no longer than 2^14 bytes, and begin with a ClientHello of
 * version 3.3 that fits in it
 */
const TLS_CLIENT_HELLO: Signature = [
  ...TLS, [0, 0x40], ANY, exactly(0x01), exactly(0x00), [0, 0x40], ANY, exactly(0x03), exactly(0x03)
]

/**
 * A Binding request of less than 2304 bytes, and the magic cookie (RFC 8489, section 5)
 */
const STUN: Signature = [
  exactly(0x00), exactly(0x01), [0x00, 0x08], ANY, exactly(0x21), exactly(0x12), exactly(0xa4), exactly(0x42)
]

/**
 * Three bytes tell these apart from libp2p, whose first byte is the length of a
 * multistream-select message, 0x13
 */
const PUBLIC: KnownProtocol[] = [
  { protocol: 'tls', signature: TLS },
  ...METHODS.map(method => ({ protocol: 'http' as const, signature: text(method.slice(0, 3)) }))
]

/**
 * In a private network, libp2p begins with any bytes. So that a nonce is taken for
 * something else in less than one of 2^48 connections, all of its bytes are looked at.
 */
const PRIVATE: KnownProtocol[] = [
  { protocol: 'tls', signature: TLS_CLIENT_HELLO },
  ...METHODS.map(method => ({ protocol: 'http' as const, signature: requestLine(method) }))
]

export interface SniffOptions {
  /**
   * The connections of the node are encrypted with a key of a private network
   */
  isPrivate: boolean

  /**
   * STUN messages are expected too
   */
  hasSTUN: boolean
}

export type Sniff = (bytes: Uint8Array) => Protocol | undefined

/**
 * A function that tells the protocol from the bytes that have arrived so far. What it
 * does not know is libp2p. It returns nothing while more bytes are needed: 24 at most.
 */
export function createSniff ({ isPrivate, hasSTUN }: SniffOptions): Sniff {
  const known: KnownProtocol[] = [
    ...isPrivate ? PRIVATE : PUBLIC,
    ...hasSTUN ? [{ protocol: 'stun' as const, signature: STUN }] : []
  ]

  return bytes => {
    let needsMore = bytes.byteLength === 0

    for (const { protocol, signature } of known) {
      if (!matches(signature, bytes)) {
        continue
      }

      if (bytes.byteLength >= signature.length) {
        return protocol
      }

      needsMore = true
    }

    return needsMore ? undefined : 'libp2p'
  }
}

/**
 * Whether as many bytes as there are fit the signature
 */
function matches (signature: Signature, bytes: Uint8Array): boolean {
  const length = Math.min(signature.length, bytes.byteLength)

  for (let i = 0; i < length; i++) {
    const [min, max] = signature[i]

    if (bytes[i] < min || bytes[i] > max) {
      return false
    }
  }

  return true
}

/**
 * A method with a path, and after it nothing but printable characters and ends of lines.
 * The shortest request, `GET / HTTP/1.1` with a Host, is longer than a nonce.
 */
function requestLine (method: string): Signature {
  const start = text(`${method} /`)

  return [...start, ...Array.from({ length: NONCE_LENGTH - start.length }, (): Signature[number] => [0x0a, 0x7e])]
}

function text (value: string): Signature {
  return Array.from(value, character => exactly(character.charCodeAt(0)))
}

function exactly (value: number): Signature[number] {
  return [value, value]
}
