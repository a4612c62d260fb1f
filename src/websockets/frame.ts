/**
 * The first byte of a final frame with binary data (RFC 6455, section 5.2)
 */
const BINARY = 0x82

/**
 * These values of the second byte say that the length follows in 2 or 8 bytes
 */
const LENGTH_16 = 126
const LENGTH_64 = 127

/**
 * The header of a frame that carries a whole message of this many bytes. The frames of a
 * server are not masked.
 */
export function binaryFrameHeader (length: number): Uint8Array {
  if (length < LENGTH_16) {
    return Uint8Array.of(BINARY, length)
  }

  if (length <= 0xffff) {
    return Uint8Array.of(BINARY, LENGTH_16, length >>> 8, length & 0xff)
  }

  const header = new Uint8Array(10)
  header[0] = BINARY
  header[1] = LENGTH_64
  new DataView(header.buffer).setBigUint64(2, BigInt(length))

  return header
}
