import { lpStream } from '@libp2p/utils'
import { Message } from '../pb/rendezvous.ts'
import type { StreamDeadline } from './deadline.ts'
import type { AbortOptions, Stream } from '@libp2p/interface'

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
 * the deadline is aborted. `answer` returns undefined where a request has no answer.
 *
 * @throws the stream is broken, silent or not of this protocol
 */
export async function serveStream (
  stream: Stream,
  answer: (request: Message, signal: AbortSignal) => Promise<Message | undefined>,
  deadline: StreamDeadline
): Promise<void> {
  const options = { signal: deadline.signal }
  stream.addEventListener('close', deadline.end)

  try {
    const messages = lpStream(stream, { maxDataLength: MAX_REQUEST_LENGTH, maxBufferSize: MAX_BUFFERED })

    while (true) {
      const request = await deadline.limit(IDLE_TIMEOUT, 'No whole request came in time', async () =>
        readRequest(stream, messages, options))

      if (request == null) {
        await stream.close({ signal: AbortSignal.timeout(WRITE_TIMEOUT) })
        return
      }

      const response = await answer(request, deadline.signal)
      deadline.signal.throwIfAborted()

      if (response != null) {
        await deadline.limit(WRITE_TIMEOUT, 'The answer was not read in time', async () =>
          messages.write(Message.encode(response), options))
      }
    }
  } finally {
    stream.removeEventListener('close', deadline.end)
    deadline.end()
  }
}

/**
 * @returns undefined when the remote peer sends no more
 */
async function readRequest (
  stream: Stream,
  messages: ReturnType<typeof lpStream>,
  options: AbortOptions
): Promise<Message | undefined> {
  try {
    return Message.decode(await messages.read(options))
  } catch (err: any) {
    if (err.name === 'UnexpectedEOFError' && stream.status === 'open') {
      return undefined
    }

    throw err
  }
}
