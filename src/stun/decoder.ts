import { Uint8ArrayList } from 'uint8arraylist'
import { HEADER_LENGTH } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import { checkHeader, decodeMessage } from './message.ts'
import type { STUNMessage } from './message.ts'

/**
 * The answer to a Binding request with every attribute that makes sense in it
 * has some hundred bytes; SOFTWARE alone may have 763
 */
export const DEFAULT_MAX_MESSAGE_LENGTH = 2_048

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
 * is too long when its header is there, before memory is taken for it.
 */
export class MessageDecoder {
  private readonly buffer = new Uint8ArrayList()
  private readonly maxMessageLength: number
  private error?: STUNProtocolError

  constructor (init: MessageDecoderInit = {}) {
    this.maxMessageLength = init.maxMessageLength ?? DEFAULT_MAX_MESSAGE_LENGTH
  }

  /**
   * How many bytes of an incomplete message are held
   */
  get bufferedLength (): number {
    return this.buffer.byteLength
  }

  /**
   * The bytes of each message that is complete with this chunk, for
   * `decodeMessage` and the checks of integrity and fingerprint. They may share
   * the chunk's memory.
   *
   * @throws {STUNProtocolError} the stream is not STUN; every later call throws it again
   */
  * decode (chunk: Uint8Array | Uint8ArrayList): Generator<Uint8Array> {
    if (this.error != null) {
      throw this.error
    }

    if (chunk.byteLength > 0) {
      this.buffer.append(chunk)
    }

    while (true) {
      const length = this.nextLength()

      if (length == null || this.buffer.byteLength < length) {
        return
      }

      const message = this.buffer.subarray(0, length)
      this.buffer.consume(length)
      yield message
    }
  }

  /**
   * The length of the message that the buffer begins with, once it is known
   */
  private nextLength (): number | undefined {
    try {
      checkHeader(index => this.buffer.get(index), this.buffer.byteLength)

      if (this.buffer.byteLength < 4) {
        return
      }

      const length = HEADER_LENGTH + (this.buffer.get(2) << 8 | this.buffer.get(3))

      if (length > this.maxMessageLength) {
        throw new STUNProtocolError(`a message of ${length} bytes, more than ${this.maxMessageLength}`)
      }

      return length
    } catch (err: any) {
      this.error = err
      this.buffer.consume(this.buffer.byteLength)
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
