/**
 * A cookie says up to which position of the board its reader has read: 8 bytes, and the
 * namespace that was read unless it was all of them. rust-libp2p demands that form.
 */

const POSITION_LENGTH = 8

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export interface Cookie {
  position: number

  /**
   * Undefined for all namespaces
   */
  namespace?: string
}

export function encodeCookie ({ position, namespace }: Cookie): Uint8Array<ArrayBuffer> {
  const suffix = encoder.encode(namespace ?? '')
  const bytes = new Uint8Array(POSITION_LENGTH + suffix.byteLength)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(position))
  bytes.set(suffix, POSITION_LENGTH)

  return bytes
}

/**
 * @returns undefined when the bytes are no cookie
 */
export function decodeCookie (bytes: Uint8Array): Cookie | undefined {
  if (bytes.byteLength < POSITION_LENGTH) {
    return undefined
  }

  const position = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0))

  if (bytes.byteLength === POSITION_LENGTH) {
    return { position }
  }

  try {
    return { position, namespace: decoder.decode(bytes.subarray(POSITION_LENGTH)) }
  } catch {
    return undefined
  }
}
