import { crc32 } from 'node:zlib'
import { StoredRegistration as Protobuf } from '../pb/stored-registration.ts'
import type { StoredRegistration } from './store.ts'

const CHECKSUM_LENGTH = 4

/**
 * A registration as bytes, with a checksum in front: LevelDB does not notice each changed
 * byte, and a registration that cannot be read would spoil the answers it is in
 */
export function encodeStored ({ form, expires, position, ...registration }: StoredRegistration): Uint8Array {
  const message = Protobuf.encode({
    ...registration,
    legacy: form === 'legacy',
    expires: BigInt(expires),
    position: BigInt(position)
  })
  const bytes = new Uint8Array(CHECKSUM_LENGTH + message.byteLength)
  new DataView(bytes.buffer).setUint32(0, crc32(message))
  bytes.set(message, CHECKSUM_LENGTH)

  return bytes
}

/**
 * @returns undefined when the bytes are damaged
 */
export function decodeStored (bytes: Uint8Array): StoredRegistration | undefined {
  if (bytes.byteLength < CHECKSUM_LENGTH) {
    return
  }

  const message = bytes.subarray(CHECKSUM_LENGTH)

  if (new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) !== crc32(message)) {
    return
  }

  try {
    const { legacy, expires, position, ...registration } = Protobuf.decode(message)

    if (registration.peer === '' || position > Number.MAX_SAFE_INTEGER) {
      return
    }

    return {
      ...registration,
      // its own bytes: the message is a part of a larger buffer
      record: new Uint8Array(registration.record),
      form: legacy ? 'legacy' : 'standard',
      expires: Number(expires),
      position: Number(position)
    }
  } catch {
    // the checksum is right, but another program has written it
  }
}
