import { lpStream } from '@libp2p/utils'
import { anySignal } from 'any-signal'
import { Message } from '../pb/rendezvous.ts'
import { deadline } from './deadline.ts'
import type { Stream } from '@libp2p/interface'
import type { Clock } from 'libp2p-tcp-stun/mapping'

/**
 * A request has a namespace, a record or a cookie, and little more
 */
const MAX_REQUEST_LENGTH = 8_192

/**
 * How many bytes of further requests are kept while one is answered
 */
const MAX_BUFFERED = 65_536

/**
 * How long a stream may be without a request, or with an unfinished one, in ms
 */
const IDLE_TIMEOUT = 120_000

/**
 * How long the remote peer may take to accept an answer, in ms
 */
const WRITE_TIMEOUT = 10_000

/**
 * Answer the requests of a stream, in their order, until the remote peer has closed it or
 * the signal aborts. `answer` returns undefined where a request has no answer.
 *
 * @throws the stream is broken, silent or not of this protocol
 */
export async function serveStream (
  stream: Stream,
  answer: (request: Message, signal: AbortSignal) => Promise<Message | undefined>,
  clock: Clock,
  signal: AbortSignal
): Promise<void> {
  const closed = new AbortController()
  const close = (): void => { closed.abort() }
  const ended = anySignal([signal, closed.signal])
  stream.addEventListener('close', close)

  try {
    const messages = lpStream(stream, { maxDataLength: MAX_REQUEST_LENGTH, maxBufferSize: MAX_BUFFERED })

    while (true) {
      const request = await readRequest(stream, messages, clock, ended)

      if (request == null) {
        await stream.close({ signal: AbortSignal.timeout(WRITE_TIMEOUT) })
        return
      }

      const response = await answer(request, ended)
      ended.throwIfAborted()

      if (response != null) {
        const timeout = deadline(clock, WRITE_TIMEOUT, ended, 'The answer was not read in time')

        try {
          await messages.write(Message.encode(response), { signal: timeout.signal })
        } finally {
          timeout.clear()
        }
      }
    }
  } finally {
    ended.clear()
    stream.removeEventListener('close', close)
  }
}

/**
 * @returns undefined when the remote peer sends no more
 */
async function readRequest (
  stream: Stream,
  messages: ReturnType<typeof lpStream>,
  clock: Clock,
  signal: AbortSignal
): Promise<Message | undefined> {
  const timeout = deadline(clock, IDLE_TIMEOUT, signal, 'No whole request came in time')

  try {
    return Message.decode(await messages.read({ signal: timeout.signal }))
  } catch (err: any) {
    if (err.name === 'UnexpectedEOFError' && stream.status === 'open') {
      return undefined
    }

    throw err
  } finally {
    timeout.clear()
  }
}
