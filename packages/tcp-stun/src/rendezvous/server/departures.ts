/**
 * Peers that are not connected any more, until they come back or their time of grace ends
 */
export class Departures {
  private readonly grace: number

  /**
   * When the time of grace of each peer ends, in ascending order
   */
  private readonly deadlines = new Map<string, number>()

  /**
   * @param grace - in ms
   */
  constructor (grace: number) {
    this.grace = grace
  }

  left (peer: string, now: number): void {
    this.deadlines.delete(peer)
    this.deadlines.set(peer, now + this.grace)
  }

  returned (peer: string): void {
    this.deadlines.delete(peer)
  }

  /**
   * Take out the peers that did not come back in time
   */
  take (now: number): string[] {
    const gone: string[] = []

    for (const [peer, deadline] of this.deadlines) {
      if (deadline > now) {
        break
      }

      gone.push(peer)
      this.deadlines.delete(peer)
    }

    return gone
  }
}
