/**
 * A cookie says up to which position of the board its reader has read, and in which run of
 * the helper: 8 bytes, and the namespace that was read unless it was all of them.
 * rust-libp2p demands that form.
 */

const POSITION_LENGTH = 8

/**
 * A position has no more bits, the run has the others
 */
const POSITION_BITS = 53

/**
 * How many different runs there are
 */
export const RUNS = 2_048

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export interface Cookie {
  position: number

  /**
   * Tells the runs of a helper apart: below `RUNS`
   */
  run: number

  /**
   * Undefined for all namespaces
   */
  namespace?: string
}

export function encodeCookie ({ position, run, namespace }: Cookie): Uint8Array<ArrayBuffer> {
  const suffix = encoder.encode(namespace ?? '')
  const bytes = new Uint8Array(POSITION_LENGTH + suffix.byteLength)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(run) << BigInt(POSITION_BITS) | BigInt(position))
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

  const number = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)
  const position = Number(BigInt.asUintN(POSITION_BITS, number))
  const run = Number(number >> BigInt(POSITION_BITS))

  if (bytes.byteLength === POSITION_LENGTH) {
    return { position, run }
  }

  try {
    return { position, run, namespace: decoder.decode(bytes.subarray(POSITION_LENGTH)) }
  } catch {
    return undefined
  }
}
