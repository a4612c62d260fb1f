/**
 * Bytes that decide in STUN, in the PROXY protocol and in addresses
 */
const TOKENS = [
  [0x00, 0x01],
  [0x01, 0x01],
  [0x21, 0x12, 0xa4, 0x42],
  [0xff, 0xff],
  [0xff, 0xfc],
  [0x00, 0x00],
  [0x00, 0x04],
  [0x00, 0x08],
  [0x7f, 0xff],
  [0x80, 0x28, 0x00, 0x04],
  ...[0x01, 0x03, 0x06, 0x08, 0x09, 0x0a, 0x14, 0x15, 0x1c, 0x1d, 0x1e, 0x20, 0x26, 0x27].map(code => [0x00, code]),
  ...[0x02, 0x03, 0x22, 0x23, 0x28, 0x2b, 0x2c].map(code => [0x80, code]),
  [0x20],
  [0x21, 0x11, 0x00, 0x0c],
  [0x21, 0x21, 0x00, 0x24],
  [...Buffer.from('PROXY TCP4 ')],
  [...Buffer.from('PROXY TCP6 ::1 ')],
  [...Buffer.from('PROXY UNKNOWN')],
  [0x0d, 0x0a],
  ...['::', ':', '.', '%', 'ffff', '::ffff:', '64:ff9b::', '2002:', '2001:0:', 'fe80', '10.', '255', '0'].map(text => [
    ...Buffer.from(text)
  ])
].map(bytes => Uint8Array.from(bytes))

const MAX_LENGTH = 4_096

/**
 * The same inputs for the same seed (xorshift32)
 */
export class Chance {
  private state: number

  constructor (seed: number) {
    this.state = seed | 1
  }

  below (limit: number): number {
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5

    return (this.state >>> 0) % limit
  }
}

/**
 * Another input: one from the corpus with some changes, or two joined
 */
export function mutate (corpus: Uint8Array[], chance: Chance): Uint8Array {
  let bytes = Uint8Array.from(corpus[chance.below(corpus.length)])

  for (let changes = 1 + chance.below(4); changes > 0; changes--) {
    bytes = change(bytes, corpus, chance)
  }

  // most of what has a wrong length in its header ends there
  if (bytes.byteLength >= 20 && bytes.byteLength <= 0xffff && chance.below(2) === 0) {
    bytes[2] = bytes.byteLength - 20 >>> 8
    bytes[3] = bytes.byteLength - 20 & 0xfc
  }

  return bytes
}

function change (bytes: Uint8Array<ArrayBuffer>, corpus: Uint8Array[], chance: Chance): Uint8Array<ArrayBuffer> {
  const at = chance.below(bytes.byteLength + 1)
  const token = TOKENS[chance.below(TOKENS.length)]

  switch (chance.below(7)) {
    case 0:
      bytes[at] ^= 1 << chance.below(8)
      return bytes
    case 1:
      bytes[at] = chance.below(256)
      return bytes
    case 2:
      bytes.set(token.subarray(0, bytes.byteLength - at), at)
      return bytes
    case 3:
      return join(bytes.subarray(0, at), token, bytes.subarray(at))
    case 4:
      return join(bytes.subarray(0, at), bytes.subarray(at + 1 + chance.below(8)))
    case 5:
      return bytes.slice(0, at)
    default: {
      const other = corpus[chance.below(corpus.length)]

      return join(bytes.subarray(0, at), other.subarray(chance.below(other.byteLength + 1)))
    }
  }
}

function join (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts).subarray(0, MAX_LENGTH))
}
