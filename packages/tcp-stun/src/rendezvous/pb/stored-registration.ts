import { decodeMessage, encodeMessage, message, streamMessage } from 'protons-runtime'
import { alloc as uint8ArrayAlloc } from 'uint8arrays/alloc'
import type { Codec, DecodeOptions } from 'protons-runtime'
import type { Uint8ArrayList } from 'uint8arraylist'

export interface StoredRegistration {
  peer: string
  namespace: string
  legacy: boolean
  record: Uint8Array<ArrayBuffer>
  expires: bigint
  position: bigint
  via: string
}

export namespace StoredRegistration {
  let _codec: Codec<StoredRegistration>

  export const codec = (): Codec<StoredRegistration> => {
    if (_codec == null) {
      _codec = message<StoredRegistration>((obj, w, opts = {}) => {
        if (opts.lengthDelimited !== false) {
          w.fork()
        }

        if ((obj.peer != null && obj.peer !== '')) {
          w.uint32(10)
          w.string(obj.peer)
        }

        if ((obj.namespace != null && obj.namespace !== '')) {
          w.uint32(18)
          w.string(obj.namespace)
        }

        if ((obj.legacy != null && obj.legacy !== false)) {
          w.uint32(24)
          w.bool(obj.legacy)
        }

        if ((obj.record != null && obj.record.byteLength > 0)) {
          w.uint32(34)
          w.bytes(obj.record)
        }

        if ((obj.expires != null && obj.expires !== 0n)) {
          w.uint32(40)
          w.uint64(obj.expires)
        }

        if ((obj.position != null && obj.position !== 0n)) {
          w.uint32(48)
          w.uint64(obj.position)
        }

        if ((obj.via != null && obj.via !== '')) {
          w.uint32(58)
          w.string(obj.via)
        }

        if (opts.lengthDelimited !== false) {
          w.ldelim()
        }
      }, (reader, length, opts = {}) => {
        const obj: any = {
          peer: '',
          namespace: '',
          legacy: false,
          record: uint8ArrayAlloc(0),
          expires: 0n,
          position: 0n,
          via: ''
        }

        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              obj.peer = reader.string()
              break
            }
            case 2: {
              obj.namespace = reader.string()
              break
            }
            case 3: {
              obj.legacy = reader.bool()
              break
            }
            case 4: {
              obj.record = reader.bytes()
              break
            }
            case 5: {
              obj.expires = reader.uint64()
              break
            }
            case 6: {
              obj.position = reader.uint64()
              break
            }
            case 7: {
              obj.via = reader.string()
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }

        return obj
      }, function * (reader, length, prefix, opts = {}) {
        const end = length == null ? reader.len : reader.pos + length

        while (reader.pos < end) {
          const tag = reader.uint32()

          switch (tag >>> 3) {
            case 1: {
              yield {
                field: `${prefix}.peer`,
                value: reader.string()
              }
              break
            }
            case 2: {
              yield {
                field: `${prefix}.namespace`,
                value: reader.string()
              }
              break
            }
            case 3: {
              yield {
                field: `${prefix}.legacy`,
                value: reader.bool()
              }
              break
            }
            case 4: {
              yield {
                field: `${prefix}.record`,
                value: reader.bytes()
              }
              break
            }
            case 5: {
              yield {
                field: `${prefix}.expires`,
                value: reader.uint64()
              }
              break
            }
            case 6: {
              yield {
                field: `${prefix}.position`,
                value: reader.uint64()
              }
              break
            }
            case 7: {
              yield {
                field: `${prefix}.via`,
                value: reader.string()
              }
              break
            }
            default: {
              reader.skipType(tag & 7)
              break
            }
          }
        }
      })
    }

    return _codec
  }

  export interface StoredRegistrationPeerFieldEvent {
    field: '$.peer'
    value: string
  }

  export interface StoredRegistrationNamespaceFieldEvent {
    field: '$.namespace'
    value: string
  }

  export interface StoredRegistrationLegacyFieldEvent {
    field: '$.legacy'
    value: boolean
  }

  export interface StoredRegistrationRecordFieldEvent {
    field: '$.record'
    value: Uint8Array<ArrayBuffer>
  }

  export interface StoredRegistrationExpiresFieldEvent {
    field: '$.expires'
    value: bigint
  }

  export interface StoredRegistrationPositionFieldEvent {
    field: '$.position'
    value: bigint
  }

  export interface StoredRegistrationViaFieldEvent {
    field: '$.via'
    value: string
  }

  export function encode (obj: Partial<StoredRegistration>): Uint8Array<ArrayBuffer> {
    return encodeMessage(obj, StoredRegistration.codec())
  }

  export function decode (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<StoredRegistration>): StoredRegistration {
    return decodeMessage(buf, StoredRegistration.codec(), opts)
  }

  export function stream (buf: Uint8Array | Uint8ArrayList, opts?: DecodeOptions<StoredRegistration>): Generator<StoredRegistrationPeerFieldEvent | StoredRegistrationNamespaceFieldEvent | StoredRegistrationLegacyFieldEvent | StoredRegistrationRecordFieldEvent | StoredRegistrationExpiresFieldEvent | StoredRegistrationPositionFieldEvent | StoredRegistrationViaFieldEvent> {
    return streamMessage(buf, StoredRegistration.codec(), opts)
  }
}
