/**
 * Numbers in network byte order. Not by a DataView: one more object for each
 * message.
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
 * No Buffer: the slice() of that shares its memory
 */
export function view (bytes: Buffer, start: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length)
}
