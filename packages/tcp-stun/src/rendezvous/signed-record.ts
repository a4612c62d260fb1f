import { peerIdFromMultihash, peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import * as Digest from 'multiformats/hashes/digest'
import { reader as createReader } from 'protons-runtime'
import { equals } from 'uint8arrays/equals'
import { fromString } from 'uint8arrays/from-string'
import { PeerRecord } from './pb/peer-record.ts'
import type { AbortOptions, PeerId, PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * `standard` is what the specification says and what js-libp2p and go-libp2p read,
 * `legacy` is what rust-libp2p writes and reads (rust-libp2p issue 6204)
 */
export type RecordForm = 'standard' | 'legacy'

interface RecordFormat {
  domain: string
  payloadType: Uint8Array
}

const FORMATS: Record<RecordForm, RecordFormat> = {
  standard: { domain: 'libp2p-peer-record', payloadType: Uint8Array.of(3, 1) },
  legacy: { domain: 'libp2p-routing-state', payloadType: fromString('/libp2p/routing-state-record') }
}

/**
 * Field 3 of an envelope, with a length
 */
const PAYLOAD_TAG = 3 << 3 | 2

/**
 * A record is not what a peer has signed about itself
 */
export class InvalidRecordError extends Error {
  static name = 'InvalidRecordError'
  name = 'InvalidRecordError'
}

/**
 * What a peer has signed about itself
 */
export interface SignedRecord {
  peer: PeerId
  form: RecordForm

  /**
   * Of two records the one with the larger number is newer
   */
  sequence: bigint

  /**
   * As binary multiaddrs: some may be of a protocol that is not known here
   */
  addresses: Uint8Array[]
}

/**
 * Open a signed peer record, and verify that its peer has signed it
 *
 * @throws {InvalidRecordError}
 */
export async function openRecord (bytes: Uint8Array, options?: AbortOptions): Promise<SignedRecord> {
  const { envelope, record } = decodeRecord(bytes)

  if (!peerIdFromPublicKey(envelope.publicKey).equals(record.peer)) {
    throw new InvalidRecordError(`The record of ${record.peer} is signed by another peer`)
  }

  if (!await envelope.validate(FORMATS[record.form].domain, options)) {
    throw new InvalidRecordError(`The signature of the record of ${record.peer} is not valid`)
  }

  return record
}

/**
 * Read a signed peer record without verifying who has signed it
 *
 * @throws {InvalidRecordError}
 */
export function readRecord (bytes: Uint8Array): SignedRecord {
  return decodeRecord(bytes).record
}

function decodeRecord (bytes: Uint8Array): { envelope: RecordEnvelope, record: SignedRecord } {
  try {
    const envelope = RecordEnvelope.createFromProtobuf(bytes)
    const form = formOf(envelope.payloadType)
    const { peerId, seq, addresses } = PeerRecord.decode(envelope.payload)
    const record: SignedRecord = {
      peer: peerIdFromMultihash(Digest.decode(peerId)),
      form,
      // protons may read it as a signed number
      sequence: BigInt.asUintN(64, seq),
      addresses: addresses.map(({ multiaddr }) => multiaddr)
    }

    return { envelope, record }
  } catch (err: any) {
    throw err instanceof InvalidRecordError
      ? err
      : new InvalidRecordError(`Not a peer record: ${err.message}`, { cause: err })
  }
}

function formOf (payloadType: Uint8Array): RecordForm {
  for (const form of ['standard', 'legacy'] as const) {
    if (equals(payloadType, FORMATS[form].payloadType)) {
      return form
    }
  }

  throw new InvalidRecordError('The envelope contains something else than a peer record')
}

/**
 * The addresses in a record that was verified before. A tenth of the time of reading all of
 * it, most of which goes into the key.
 *
 * @throws {Error} the bytes are no record
 */
export function addressesIn (bytes: Uint8Array): Uint8Array[] {
  const fields = createReader(bytes)

  while (fields.pos < fields.len) {
    const tag = fields.uint32()

    if (tag === PAYLOAD_TAG) {
      return PeerRecord.decode(fields.bytes()).addresses.map(({ multiaddr }) => multiaddr)
    }

    fields.skipType(tag & 7)
  }

  return []
}

/**
 * Those addresses of a record that can be read here, without the id of the peer
 */
export function readableAddresses ({ addresses, peer }: SignedRecord): Multiaddr[] {
  return addresses.flatMap(bytes => {
    try {
      return [withoutPeer(multiaddr(bytes), peer)]
    } catch {
      return []
    }
  })
}

function withoutPeer (address: Multiaddr, peer: PeerId): Multiaddr {
  const last = address.getComponents().at(-1)

  return last?.code === CODE_P2P && last.value === peer.toString() ? address.decapsulateCode(CODE_P2P) : address
}

export interface SealInit {
  privateKey: PrivateKey
  addresses: Multiaddr[]
  form: RecordForm
  sequence: bigint
}

/**
 * Sign a peer record
 */
export async function sealRecord (init: SealInit, options?: AbortOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { privateKey, addresses, form, sequence } = init
  const { domain, payloadType } = FORMATS[form]
  const peer = peerIdFromPublicKey(privateKey.publicKey)
  const payload = PeerRecord.encode({
    peerId: peer.toMultihash().bytes,
    seq: sequence,
    addresses: addresses.map(address => ({ multiaddr: withoutPeer(address, peer).bytes }))
  })
  const envelope = await RecordEnvelope.seal(
    { domain, codec: payloadType, marshal: () => payload, equals: () => false },
    privateKey,
    options
  )

  return Uint8Array.from(envelope.marshal())
}
