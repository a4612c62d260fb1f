import { InvalidMessageError } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { bytesField, readFields, varintField } from '../protobuf.ts'
import type { Uint8ArrayList } from 'uint8arraylist'

export const ATTEST_PROTOCOL = '/tcp-stun/attest/1.0.0'

/**
 * A peer id has about 52 characters, and an address of one component 17 bytes
 */
export const MAX_MESSAGE_LENGTH = 128

const FIELD_PEER = 1
const FIELD_ADDRESS = 2
const FIELD_IS_ATTESTED = 1

/**
 * Is this peer connected to you from this address?
 */
export interface AttestRequest {
  /**
   * A peer id, as text
   */
  peer: string

  /**
   * An IP address
   */
  host: string
}

// eslint-disable-next-line @typescript-eslint/no-redeclare -- the type and its codec, as protons names them
export const AttestRequest = {
  encode ({ peer, host }: AttestRequest): Uint8Array {
    return Buffer.concat([
      bytesField(FIELD_PEER, Buffer.from(peer)),
      bytesField(FIELD_ADDRESS, multiaddr(`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}`).bytes)
    ])
  },

  /**
   * @throws {InvalidMessageError} the bytes are no request
   */
  decode (data: Uint8Array | Uint8ArrayList): AttestRequest {
    const values = new Map<number, Uint8Array>()

    for (const field of readFields('attest', data.subarray())) {
      if (field.type === 'bytes') {
        values.set(field.number, field.value)
      }
    }

    try {
      const [address, ...rest] = multiaddr(values.get(FIELD_ADDRESS) ?? new Uint8Array()).getComponents()

      if (rest.length === 0 && address?.value != null && ['ip4', 'ip6'].includes(address.name)) {
        return { peer: Buffer.from(values.get(FIELD_PEER) ?? []).toString(), host: address.value }
      }
    } catch {
      // below
    }

    throw new InvalidMessageError('An attest message must name a peer, and an address like /ip4/1.2.3.4')
  }
}

/**
 * Whether it is
 */
export interface AttestResponse {
  isAttested: boolean
}

// eslint-disable-next-line @typescript-eslint/no-redeclare -- the type and its codec, as protons names them
export const AttestResponse = {
  encode ({ isAttested }: AttestResponse): Uint8Array {
    return varintField(FIELD_IS_ATTESTED, isAttested ? 1 : 0)
  },

  /**
   * @throws {InvalidMessageError} the bytes are no response
   */
  decode (data: Uint8Array | Uint8ArrayList): AttestResponse {
    const fields = [...readFields('attest', data.subarray())]

    return {
      isAttested: fields.some(({ number, type, value }) =>
        number === FIELD_IS_ATTESTED && type === 'varint' && value === 1)
    }
  }
}
