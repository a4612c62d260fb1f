import type { PeerId } from '@libp2p/interface'

/**
 * When there are more failed peers than these, the oldest is forgotten
 */
const MAX_PEERS = 1_000

interface Entry {
  ends: number
  count: number
}

/**
 * The peers that could not be reached directly, for some time after, and how often
 */
export class BackOff {
  private readonly duration: number
  private readonly entries = new Map<string, Entry>()

  /**
   * @param duration - in ms
   */
  constructor (duration: number) {
    this.duration = duration
  }

  add (peer: PeerId, now: number): void {
    const key = peer.toString()
    const count = this.count(peer, now) + 1
    this.entries.delete(key)
    this.entries.set(key, { ends: now + this.duration, count })

    if (this.entries.size > MAX_PEERS) {
      this.entries.delete([...this.entries.keys()][0])
    }
  }

  delete (peer: PeerId): void {
    this.entries.delete(peer.toString())
  }

  isActive (peer: PeerId, now: number): boolean {
    return this.count(peer, now) > 0
  }

  /**
   * How often the peer was added, each time before the time of the last one was over
   */
  count (peer: PeerId, now: number): number {
    const entry = this.entries.get(peer.toString())

    return entry != null && entry.ends > now ? entry.count : 0
  }
}
