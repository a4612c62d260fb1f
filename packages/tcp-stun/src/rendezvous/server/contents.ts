import type { Board } from './board.ts'
import type { BoardContents, BoardSummary } from './types.ts'

/**
 * What is on a board, for those who look after it
 */
export class Contents implements BoardContents {
  private readonly board: Board

  constructor (board: Board) {
    this.board = board
  }

  summary (): BoardSummary {
    const namespaces = new Map<string, number>()
    const helpers = new Map<string, number>()

    for (const { namespace, via } of this.board.read(undefined, 0)) {
      namespaces.set(namespace, (namespaces.get(namespace) ?? 0) + 1)
      helpers.set(via, (helpers.get(via) ?? 0) + 1)
    }

    return { namespaces, helpers }
  }

  recordOf (peer: string): Uint8Array | undefined {
    const [registration] = this.board.ofPeer(peer)

    return registration?.record
  }
}
