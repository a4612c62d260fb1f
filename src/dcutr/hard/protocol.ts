import { InvalidMessageError } from '@libp2p/interface'
import { pbStream } from '@libp2p/utils'
import { HardPunchError } from './errors.ts'
import { HardPunchMessage, MAX_MESSAGE_LENGTH } from './message.ts'
import type { AbortOptions, Stream } from '@libp2p/interface'

export const HARD_PUNCH_PROTOCOL = '/tcp-stun/hard-punch/1.0.0'

/**
 * A hard punch ends after this long, in ms, or with the upgrade of a socket that is
 * connected by then. Later the system would only repeat SYNs, and one opens a router as
 * well as five.
 */
export const DURATION = 3_000

type Signal = Required<AbortOptions>
type MessageOf<T extends HardPunchMessage['type']> = Extract<HardPunchMessage, { type: T }>

/**
 * The messages of one hard punch, one after the other:
 *
 * | hard side | easy side |
 * |---|---|
 * | offer | |
 * | | accept, or refuse |
 * | start | |
 * | | probed, where the easy side goes first |
 * | failed | failed |
 *
 * After `accept` either side may send `failed` at any time. The stream ends with it, or
 * with the direct connection.
 */
export class Exchange {
  private readonly stream: Stream
  private readonly messages
  private state: 'offered' | 'accepted' | 'ended' = 'offered'

  constructor (stream: Stream) {
    this.stream = stream
    this.messages = pbStream(stream, { maxDataLength: MAX_MESSAGE_LENGTH }).pb(HardPunchMessage)
  }

  async send (message: HardPunchMessage, { signal }: Signal): Promise<void> {
    if (message.type === 'accept') {
      this.state = 'accepted'
    }

    await this.messages.write(message, { signal })
  }

  /**
   * The next message, which has to be of this type
   *
   * @throws {HardPunchError} the peer refuses, or has given up
   * @throws {InvalidMessageError} it is another message, or none
   */
  async receive<T extends HardPunchMessage['type']> (type: T, { signal }: Signal): Promise<MessageOf<T>> {
    const message = await this.messages.read({ signal })

    if (message.type === 'refuse' || message.type === 'failed') {
      this.state = 'ended'
      throw new HardPunchError(
        message.reason,
        `The peer ${message.type === 'refuse' ? 'refused' : 'gave up'}: ${message.text}`
      )
    }

    if (message.type !== type) {
      throw new InvalidMessageError(`The peer sent "${message.type}" in place of "${type}"`)
    }

    if (type === 'accept') {
      this.state = 'accepted'
    }

    return message as MessageOf<T>
  }

  /**
   * Wait until the peer gives up
   *
   * @throws {HardPunchError} it did
   * @throws {Error} the stream ended
   */
  async untilFailed (options: Signal): Promise<never> {
    const { type } = await this.receive('failed', options)

    throw new InvalidMessageError(`The peer sent "${type}" twice`)
  }

  /**
   * End the stream. After an error of ours the peer is told the reason, if it has sent
   * what it should.
   */
  async end (err: Error | undefined, { signal }: Signal): Promise<void> {
    try {
      if (err instanceof HardPunchError && this.state !== 'ended') {
        const type = this.state === 'accepted' ? 'failed' : 'refuse'
        await this.messages.write({ type, reason: err.reason, text: err.message }, { signal })
      } else if (err != null && !(err instanceof HardPunchError)) {
        throw err
      }

      await this.stream.close({ signal })
    } catch (err: any) {
      this.stream.abort(err)
    }
  }
}
