import type { PeerId } from '@libp2p/interface'

/**
 * When there are more failed peers than these, the oldest is forgotten
 */
const MAX_PEERS = 1_000

/**
 * The peers that could not be reached directly, for some time after
 */
export class BackOff {
  private readonly duration: number
  private readonly ends = new Map<string, number>()

  /**
   * @param duration - in ms
   */
  constructor (duration: number) {
    this.duration = duration
  }

  add (peer: PeerId, now: number): void {
    const key = peer.toString()
    this.ends.delete(key)
    this.ends.set(key, now + this.duration)

    if (this.ends.size > MAX_PEERS) {
      this.ends.delete([...this.ends.keys()][0])
    }
  }

  delete (peer: PeerId): void {
    this.ends.delete(peer.toString())
  }

  isActive (peer: PeerId, now: number): boolean {
    return (this.ends.get(peer.toString()) ?? 0) > now
  }
}
