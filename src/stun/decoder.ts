import { HEADER_LENGTH } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import { checkHeader, decodeMessage } from './message.ts'
import type { STUNMessage } from './message.ts'
import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * The answer to a Binding request with every attribute that makes sense in it
 * has some hundred bytes; SOFTWARE alone may have 763
 */
export const DEFAULT_MAX_MESSAGE_LENGTH = 2_048

const NOTHING = new Uint8Array(0)

export interface MessageDecoderInit {
  /**
   * A longer message is an error, in bytes, its header included
   *
   * @default 2_048
   */
  maxMessageLength?: number
}

/**
 * Finds the messages in a stream of bytes, however they are cut: STUN over TCP
 * has no framing beyond its header (RFC 8489, section 6.2.2).
 *
 * What can not be STUN is refused at its first wrong byte, and a message that
 * is too long when its header is there, before memory is taken for it. Of a
 * message that is not complete its bytes are copied: the chunk that they came in
 * may be far larger, or have come as one of a thousand.
 */
export class MessageDecoder {
  private readonly maxMessageLength: number
  private partial = NOTHING
  private held = 0
  private error?: STUNProtocolError

  constructor (init: MessageDecoderInit = {}) {
    this.maxMessageLength = init.maxMessageLength ?? DEFAULT_MAX_MESSAGE_LENGTH
  }

  /**
   * How many bytes of an incomplete message are held
   */
  get bufferedLength (): number {
    return this.held
  }

  /**
   * The bytes of each message that is complete with this chunk, for
   * `decodeMessage` and the checks of integrity and fingerprint. They may share
   * the chunk's memory. To stop before the last loses the rest of the chunk.
   *
   * @throws {STUNProtocolError} the stream is not STUN; every later call throws it again
   */
  * decode (chunk: Uint8Array | Uint8ArrayList): Generator<Uint8Array> {
    if (this.error != null) {
      throw this.error
    }

    const bytes = chunk instanceof Uint8Array ? chunk : chunk.subarray()
    let offset = 0

    while (offset < bytes.byteLength) {
      const left = bytes.byteLength - offset
      const length = this.held === 0 ? this.lengthOf(bytes, offset, left) : undefined

      if (length != null && length <= left) {
        yield bytes.subarray(offset, offset + length)
        offset += length
      } else {
        offset += this.hold(bytes, offset, left)
        const message = this.takeHeld()

        if (message != null) {
          yield message
        }
      }
    }
  }

  /**
   * Take what belongs to the header, or once that is there to the message.
   * Returns how many bytes that was.
   */
  private hold (bytes: Uint8Array, offset: number, left: number): number {
    if (this.held === 0) {
      this.partial = new Uint8Array(HEADER_LENGTH)
    }

    const taken = Math.min(left, this.partial.byteLength - this.held)
    this.partial.set(bytes.subarray(offset, offset + taken), this.held)
    this.held += taken

    return taken
  }

  /**
   * The message that is held, if it is complete
   */
  private takeHeld (): Uint8Array | undefined {
    const length = this.lengthOf(this.partial, 0, this.held)

    if (length == null || this.held < this.partial.byteLength) {
      return
    }

    const message = this.partial

    if (this.held === length) {
      this.partial = NOTHING
      this.held = 0

      return message
    }

    this.partial = new Uint8Array(length)
    this.partial.set(message)
  }

  /**
   * The length of the message that begins here, once it is known
   */
  private lengthOf (bytes: Uint8Array, offset: number, available: number): number | undefined {
    try {
      checkHeader(bytes, offset, available)

      if (available < 4) {
        return
      }

      const length = HEADER_LENGTH + (bytes[offset + 2] << 8 | bytes[offset + 3])

      if (length > this.maxMessageLength) {
        throw new STUNProtocolError(`a message of ${length} bytes, more than ${this.maxMessageLength}`)
      }

      return length
    } catch (err: any) {
      this.error = err
      this.partial = NOTHING
      this.held = 0
      throw err
    }
  }
}

/**
 * From bytes to messages, for `it-pipe`
 *
 * @throws {STUNProtocolError} the stream is not STUN
 */
export async function * decodeStream (source: AsyncIterable<Uint8Array | Uint8ArrayList>, init?: MessageDecoderInit): AsyncGenerator<STUNMessage> {
  const decoder = new MessageDecoder(init)

  for await (const chunk of source) {
    for (const bytes of decoder.decode(chunk)) {
      yield decodeMessage(bytes)
    }
  }

  if (decoder.bufferedLength > 0) {
    throw new STUNProtocolError(`the stream ended within a message, after ${decoder.bufferedLength} bytes of it`)
  }
}
