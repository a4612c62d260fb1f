import { readFile } from 'node:fs/promises'
import { peerIdFromString } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'

/**
 * The peers that a helper serves
 */
export class AllowList {
  private members: Set<string>

  constructor (members: Iterable<string>) {
    this.members = new Set(members)
  }

  get size (): number {
    return this.members.size
  }

  has (peer: PeerId): boolean {
    return this.members.has(peer.toString())
  }

  /**
   * Serve these from now on
   */
  replace (members: Iterable<string>): void {
    this.members = new Set(members)
  }
}

/**
 * The peer ids in a file, one on each line. The rest of a line after `#` is a comment.
 *
 * @throws the system's error, or an error that names the line which is no peer id
 */
export async function readAllowList (path: string): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).split('\n')

  return lines.flatMap((line, i) => {
    const text = line.replace(/#.*/, '').trim()

    if (text === '') {
      return []
    }

    try {
      return [peerIdFromString(text).toString()]
    } catch (err: any) {
      throw new Error(`${path}, line ${i + 1}: ${JSON.stringify(text.slice(0, 80))} is not a peer id like 12D3Koo...`, {
        cause: err
      })
    }
  })
}
