/**
 * Numbers in network byte order. Not with a DataView, which would be one more
 * object for each message.
 */
export function readUint16 (bytes: Uint8Array, offset: number): number {
  return bytes[offset] << 8 | bytes[offset + 1]
}

/**
 * Returns where it ends
 */
export function writeUint16 (value: number, out: Uint8Array, offset: number): number {
  out[offset] = value >>> 8
  out[offset + 1] = value

  return offset + 2
}

export function readUint32 (bytes: Uint8Array, offset: number): number {
  return (readUint16(bytes, offset) << 16 | readUint16(bytes, offset + 2)) >>> 0
}

/**
 * Returns where it ends
 */
export function writeUint32 (value: number, out: Uint8Array, offset: number): number {
  return writeUint16(value, out, writeUint16(value >>> 16, out, offset))
}

/**
 * Part of these bytes as a plain Uint8Array: the `slice()` of a Buffer would share
 * its memory
 */
export function view (bytes: Buffer, start: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length)
}

/**
 * Fill up to where the next attribute begins, and return that
 */
export function writePadding (out: Uint8Array, offset: number): number {
  while (offset % 4 !== 0) {
    out[offset++] = 0
  }

  return offset
}

/**
 * Attributes begin at a multiple of four bytes (RFC 8489, section 14)
 */
export function padded (length: number): number {
  return length + 3 & ~3
}
