import { createHash, randomBytes } from 'node:crypto'
import { pEvent } from 'p-event'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'

const ECHO = '/nat-lab/echo/1.0.0'

/**
 * The size of one write, in bytes
 */
const CHUNK = 65_536

/**
 * Send all received data back
 */
export async function serveEcho (node: Libp2p): Promise<void> {
  await node.handle(ECHO, async (stream: Stream) => {
    for await (const chunk of stream) {
      if (!stream.send(chunk)) {
        await drained(stream)
      }
    }

    await stream.close()
  }, { runOnLimitedConnection: true })
}

export interface Echo {
  remote: string

  /**
   * How many bytes came back
   */
  bytes: number

  /**
   * Whether they equal those that were sent
   */
  equal: boolean
}

/**
 * Send random bytes to the echo protocol of a peer, and compare
 */
export async function echo (connection: Connection, bytes: number, signal: AbortSignal): Promise<Echo> {
  const stream = await connection.newStream(ECHO, { signal, runOnLimitedConnection: true })
  const data = randomBytes(bytes)
  const received = createHash('sha256')
  let length = 0

  const reading = (async () => {
    for await (const chunk of stream) {
      length += chunk.byteLength
      received.update(chunk.subarray())
    }
  })()

  for (let i = 0; i < data.byteLength; i += CHUNK) {
    if (!stream.send(data.subarray(i, i + CHUNK))) {
      await drained(stream, signal)
    }
  }

  await stream.close({ signal })
  await reading

  return {
    remote: connection.remoteAddr.toString(),
    bytes: length,
    equal: length === bytes && received.digest('hex') === createHash('sha256').update(data).digest('hex')
  }
}

/**
 * Not `stream.onDrain()`, which returns a settled promise the second time: with it an
 * echo to rust-libp2p, whose windows are small, ended early
 */
async function drained (stream: Stream, signal?: AbortSignal): Promise<void> {
  await pEvent(stream, 'drain', { signal, rejectionEvents: ['close'] })
}
