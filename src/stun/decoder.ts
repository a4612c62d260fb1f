import { HEADER_LENGTH } from './constants.ts'
import { STUNProtocolError } from './errors.ts'
import { checkHeader } from './message.ts'

/**
 * The longest message that makes sense, in bytes: the answer to a Binding request has a few
 * hundred, of which SOFTWARE may have 763
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
 * Finds the messages in a stream of bytes, however it is split: STUN over TCP
 * has no framing beyond its header (RFC 8489, section 6.2.2).
 *
 * A stream that is not STUN is refused at its first wrong byte. A message that is too long
 * is refused once its header is complete, before memory is allocated for it. The bytes of
 * an incomplete message are copied, because the chunk that they came in may be far larger.
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
   * The bytes of each message that is complete with these bytes, for
   * `decodeMessage` and the checks of integrity and fingerprint. They may share
   * the memory of the argument. A caller that stops before the last message loses
   * the rest.
   *
   * @throws {STUNProtocolError} the stream is not STUN; every later call throws it again
   */
  * decode (bytes: Uint8Array): Generator<Uint8Array> {
    if (this.error != null) {
      throw this.error
    }

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
   * Take the bytes that belong to the header, or to the message when the header is
   * complete. Returns how many bytes were taken.
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
   * The held message, if it is complete
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
