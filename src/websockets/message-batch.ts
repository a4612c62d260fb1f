import { binaryFrameHeader } from './frame.ts'
import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * Pieces that are shorter on average, in bytes, are copied into one: that costs less than a write for each of them
 */
const COPY_BELOW = 2_048

/**
 * The place of the header, until the length of the message is known
 */
const NO_HEADER = new Uint8Array(0)

/**
 * Makes one WebSocket message of several sends. libp2p reads a stream of bytes, so it does not matter to it where
 * messages begin and end, but each one costs time at both ends.
 */
export class MessageBatch {
  private pieces: Uint8Array[] = [NO_HEADER]
  private length = 0

  get byteLength (): number {
    return this.length
  }

  add (data: Uint8Array | Uint8ArrayList): void {
    this.length += data.byteLength

    if (data instanceof Uint8Array) {
      this.pieces.push(data)
    } else {
      this.pieces.push(...data)
    }
  }

  /**
   * The bytes of a message with all that was added. The batch is empty afterwards.
   */
  take (): Uint8Array[] {
    const { pieces, length } = this
    this.pieces = [NO_HEADER]
    this.length = 0
    pieces[0] = binaryFrameHeader(length)

    return length < COPY_BELOW * (pieces.length - 1) ? [Buffer.concat(pieces)] : pieces
  }
}
