/**
 * Those who wait, in one line for each network. Networks take turns.
 */
export class WaitingLines<T> {
  /**
   * By network, in the order of their turns
   */
  private readonly lines = new Map<string, Set<T>>()
  private count = 0

  /**
   * How many wait
   */
  get size (): number {
    return this.count
  }

  sizeOf (network: string): number {
    return this.lines.get(network)?.size ?? 0
  }

  add (network: string, waiting: T): void {
    const line = this.lines.get(network) ?? new Set()
    line.add(waiting)
    this.lines.set(network, line)
    this.count++
  }

  /**
   * @returns whether it was waiting
   */
  delete (network: string, waiting: T): boolean {
    const line = this.lines.get(network)

    if (line?.delete(waiting) !== true) {
      return false
    }

    this.count--

    if (line.size === 0) {
      this.lines.delete(network)
    }

    return true
  }

  /**
   * Take whoever is next
   */
  shift (): T | undefined {
    const [turn] = this.lines

    if (turn == null) {
      return
    }

    const [network, line] = turn
    const [first] = line
    this.delete(network, first)

    if (line.size > 0) {
      // to the end
      this.lines.delete(network)
      this.lines.set(network, line)
    }

    return first
  }

  /**
   * The last one of the longest line, which has waited least there. Of lines of the same
   * length it is the one whose turn is last.
   */
  lastOfLongest (): { network: string, waiting: T } | undefined {
    let longest: { network: string, line: Set<T> } | undefined

    for (const [network, line] of this.lines) {
      if (line.size >= (longest?.line.size ?? 0)) {
        longest = { network, line }
      }
    }

    return longest == null ? undefined : { network: longest.network, waiting: [...longest.line][longest.line.size - 1] }
  }

  * [Symbol.iterator] (): Generator<T> {
    for (const line of this.lines.values()) {
      yield * line
    }
  }
}
