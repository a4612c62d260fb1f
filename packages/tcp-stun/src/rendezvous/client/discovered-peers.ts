import { openRecord, readRecord, readableAddresses } from '../signed-record.ts'
import type { RendezvousClientComponents } from './components.ts'
import type { SignedRecord } from '../signed-record.ts'
import type { PeerInfo } from '@libp2p/interface'

/**
 * How many peers are remembered, so that each is reported once. A server that invents more
 * costs no more memory.
 */
const MAX_PEERS = 100_000

/**
 * How many addresses of a peer are used
 */
const MAX_ADDRESSES = 32

/**
 * Peers that were found. The same record may come from several helpers.
 */
export class DiscoveredPeers {
  private readonly components: RendezvousClientComponents
  private readonly report: (peer: PeerInfo) => void
  private readonly sequences = new Map<string, bigint>()

  constructor (components: RendezvousClientComponents, report: (peer: PeerInfo) => void) {
    this.components = components
    this.report = report
  }

  /**
   * Report the peer of a record, unless the record or a later one was seen before
   *
   * @returns whether it was reported
   * @throws {InvalidRecordError} its peer has not signed it
   */
  async add (bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    // cheaper than a signature
    if (!this.isNews(readRecord(bytes))) {
      return false
    }

    const record = await openRecord(bytes, { signal })
    const id = record.peer.toString()

    if (!this.isNews(record)) {
      return false
    }

    this.sequences.delete(id)
    this.sequences.set(id, record.sequence)

    if (this.sequences.size > MAX_PEERS) {
      this.sequences.delete(this.sequences.keys().next().value ?? id)
    }

    const multiaddrs = readableAddresses(record).slice(0, MAX_ADDRESSES)

    if (multiaddrs.length === 0 || await this.knowsNewer(record)) {
      return false
    }

    await this.components.peerStore.patch(record.peer, {
      addresses: multiaddrs.map(multiaddr => ({ multiaddr, isCertified: true })),
      // the peer store reads the standard form only
      ...(record.form === 'standard' ? { peerRecordEnvelope: bytes } : {})
    }, { signal })
    this.report({ id: record.peer, multiaddrs })

    return true
  }

  private isNews ({ peer, sequence }: SignedRecord): boolean {
    return !peer.equals(this.components.peerId) && sequence > (this.sequences.get(peer.toString()) ?? -1n)
  }

  /**
   * Whether another protocol, such as identify, has brought a later record
   */
  private async knowsNewer ({ peer, sequence }: SignedRecord): Promise<boolean> {
    try {
      const { peerRecordEnvelope } = await this.components.peerStore.get(peer)

      return peerRecordEnvelope != null && readRecord(peerRecordEnvelope).sequence > sequence
    } catch {
      // not known
      return false
    }
  }
}
