import { lpStream } from '@libp2p/utils'
import { anySignal } from 'any-signal'
import { Message } from '../pb/rendezvous.ts'
import { MAX_RESPONSE_LENGTH, PROTOCOL } from '../protocol.ts'
import type { Connection, Stream } from '@libp2p/interface'

/**
 * How long a server may take to answer, in ms
 */
const TIMEOUT = 10_000

interface OpenStream {
  stream: Stream
  messages: ReturnType<typeof lpStream>
}

/**
 * Sends requests over one stream, which is kept while the server keeps it. Servers of
 * rust-libp2p take one request a stream.
 */
export class RequestStream {
  private readonly connection: Connection
  private open?: OpenStream

  constructor (connection: Connection) {
    this.connection = connection
  }

  /**
   * Send a request, and wait for its answer, `wait` ms longer than usual if the server was
   * asked to wait
   *
   * @throws the connection is closed, or the server does not answer
   */
  async ask (request: Message, signal: AbortSignal, wait = 0): Promise<Message> {
    const kept = this.open != null && isUsable(this.open.stream)

    try {
      return await this.exchange(request, signal, wait)
    } catch (err) {
      if (!kept || signal.aborted) {
        throw err
      }

      // the server may have closed the stream while it was idle
      return this.exchange(request, signal, wait)
    }
  }

  /**
   * Never throws
   */
  async close (signal: AbortSignal): Promise<void> {
    const { open } = this
    this.open = undefined

    try {
      await open?.stream.close({ signal })
    } catch (err: any) {
      open?.stream.abort(err)
    }
  }

  abort (err: Error): void {
    this.open?.stream.abort(err)
    this.open = undefined
  }

  private async exchange (request: Message, signal: AbortSignal, wait: number): Promise<Message> {
    const limited = anySignal([signal, AbortSignal.timeout(TIMEOUT + wait)])

    try {
      const { messages, stream } = await this.openStream(limited)
      await messages.write(Message.encode(request), { signal: limited })
      const response = Message.decode(await messages.read({ signal: limited }))

      if (!isUsable(stream)) {
        await this.close(limited)
      }

      return response
    } catch (err: any) {
      this.abort(err)
      throw err
    } finally {
      limited.clear()
    }
  }

  private async openStream (signal: AbortSignal): Promise<OpenStream> {
    if (this.open == null || !isUsable(this.open.stream)) {
      const stream = await this.connection.newStream(PROTOCOL, { signal })
      this.open = { stream, messages: lpStream(stream, { maxDataLength: MAX_RESPONSE_LENGTH }) }
    }

    return this.open
  }
}

/**
 * Send a message that has no answer, and wait until the server has read it
 */
export async function tell (connection: Connection, message: Message, signal: AbortSignal): Promise<void> {
  const stream = await connection.newStream(PROTOCOL, { signal })

  try {
    const messages = lpStream(stream, { maxDataLength: MAX_RESPONSE_LENGTH })
    await messages.write(Message.encode(message), { signal })
    await stream.close({ signal })
    await untilEnd(messages, signal)
  } catch (err: any) {
    stream.abort(err)
    throw err
  }
}

/**
 * Resolves when the server closes its side, which is a failed read: it has nothing to send
 *
 * @throws the signal's reason: the server may not have read the message
 */
async function untilEnd (messages: OpenStream['messages'], signal: AbortSignal): Promise<void> {
  try {
    await messages.read({ signal })
  } catch {
    signal.throwIfAborted()
  }
}

function isUsable ({ status, writeStatus, remoteWriteStatus }: Stream): boolean {
  return status === 'open' && writeStatus === 'writable' && remoteWriteStatus === 'writable'
}
