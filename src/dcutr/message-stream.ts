import { InvalidMessageError, UnsupportedProtocolError } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import { DCUTR_PROTOCOL } from '../punch/role.ts'
import { HolePunch, MAX_MESSAGE_LENGTH } from './message.ts'
import type { AbortOptions, Connection, Stream } from '@libp2p/interface'
import type { LengthPrefixedStream } from '@libp2p/utils'

/**
 * The first message of multistream-select, from both sides
 *
 * @see https://github.com/multiformats/multistream-select
 */
const MULTISTREAM = '/multistream/1.0.0'

type Signal = Required<AbortOptions>

/**
 * A DCUtR stream, as messages
 */
export class MessageStream {
  private readonly stream: Stream
  private readonly messages: LengthPrefixedStream<Stream>

  /**
   * What the partner has yet to answer before its first message
   */
  private readonly proposal: string[]

  private constructor (stream: Stream, proposal: string[]) {
    this.stream = stream
    this.proposal = proposal
    this.messages = lpStream(stream, { maxDataLength: MAX_MESSAGE_LENGTH })
  }

  /**
   * A stream that the partner has opened
   */
  static accept (stream: Stream): MessageStream {
    return new MessageStream(stream, [])
  }

  /**
   * Open a stream, and send the first messages with it.
   *
   * libp2p would wait until the partner has accepted the protocol, for a round trip.
   * Here the messages leave together with the proposal, as go-libp2p's do. With a muxer
   * that takes time to create a stream, libp2p negotiates as usual.
   */
  static async open (relayed: Connection, messages: HolePunch[], { signal }: Signal): Promise<MessageStream> {
    const others = new Set(relayed.streams)
    const opening = relayed.newStream(DCUTR_PROTOCOL, { signal, runOnLimitedConnection: true })
    const created = relayed.streams.find(stream => !others.has(stream) && stream.protocol === '')
    const proposal = created == null ? [] : [MULTISTREAM, DCUTR_PROTOCOL]

    if (created != null) {
      // libp2p does not negotiate where the protocol is known
      created.protocol = DCUTR_PROTOCOL
    }

    const opened = new MessageStream(await opening, proposal)

    try {
      await opened.messages.writeV(
        [...proposal.map(name => Buffer.from(`${name}\n`)), ...messages.map(HolePunch.encode)],
        { signal }
      )
    } catch (err: any) {
      opened.abort(err)
      throw err
    }

    return opened
  }

  async write (message: HolePunch, { signal }: Signal): Promise<void> {
    await this.messages.write(HolePunch.encode(message), { signal })
  }

  /**
   * @throws {UnsupportedProtocolError} the partner does not speak DCUtR
   * @throws {InvalidMessageError} the partner sent something else
   */
  async read ({ signal }: Signal): Promise<HolePunch> {
    for (let name = this.proposal.shift(); name != null; name = this.proposal.shift()) {
      const answer = Buffer.from((await this.messages.read({ signal })).subarray()).toString()

      if (answer === 'na\n') {
        throw new UnsupportedProtocolError('The peer does not speak DCUtR')
      }

      if (answer !== `${name}\n`) {
        throw new InvalidMessageError(`The peer did not answer ${name} with the same`)
      }
    }

    return HolePunch.decode(await this.messages.read({ signal }))
  }

  abort (err: Error): void {
    this.stream.abort(err)
  }

  async close (): Promise<void> {
    try {
      await this.stream.close()
    } catch {
      // reset by the peer: there is nothing left to close
    }
  }
}
