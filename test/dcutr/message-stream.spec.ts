import { noise } from '@libp2p/noise'
import { lpStream, streamPair } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { MessageStream } from '../../src/dcutr/message-stream.ts'
import { CONNECT, SYNC } from '../../src/dcutr/message.ts'
import { tcpSTUN } from '../../src/index.ts'
import { DCUTR_PROTOCOL } from '../../src/punch/role.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import type { HolePunch } from '../../src/dcutr/message.ts'
import type { Connection, StreamHandler } from '@libp2p/interface'

const MESSAGE: HolePunch = { type: CONNECT, addresses: [Uint8Array.of(1, 2, 3)] }
const ANSWER: HolePunch = { type: CONNECT, addresses: [Uint8Array.of(4, 5, 6)] }
const SYNC_MESSAGE: HolePunch = { type: SYNC, addresses: [] }

describe('messages of DCUtR', () => {
  const { closeLater } = closesAfterEach()
  const signal = AbortSignal.timeout(60_000)

  /**
   * A connection with a peer that handles DCUtR in this way
   */
  async function connect (handler?: StreamHandler): Promise<Connection> {
    const [local, remote] = await Promise.all([1, 2].map(async () => {
      const node = await createLibp2p({
        addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
        transports: [tcpSTUN({ stunServers: [] })],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()]
      })
      closeLater({ close: async () => node.stop() })

      return node
    }))

    if (handler != null) {
      await remote.handle(DCUTR_PROTOCOL, handler)
    }

    return local.dial(remote.getMultiaddrs(), { signal })
  }

  /**
   * Reads two messages, and answers
   */
  function partner (): { handler: StreamHandler, received: HolePunch[] } {
    const received: HolePunch[] = []

    return {
      received,
      handler: async stream => {
        const messages = MessageStream.accept(stream)
        received.push(await messages.read({ signal }), await messages.read({ signal }))
        await messages.write(ANSWER, { signal })
      }
    }
  }

  it('leave with the proposal of the protocol, and are answered', async () => {
    const { handler, received } = partner()
    const connection = await connect(handler)
    const stream = await MessageStream.open(connection, [MESSAGE, SYNC_MESSAGE], { signal })

    expect(normalized(await stream.read({ signal }))).to.deep.equal(ANSWER)
    expect(received.map(normalized)).to.deep.equal([MESSAGE, SYNC_MESSAGE])
    expect(connection.streams.map(({ protocol }) => protocol)).to.include(DCUTR_PROTOCOL)
  })

  it('are refused by a peer without DCUtR, which shows when its answer is read', async () => {
    const stream = await MessageStream.open(await connect(), [MESSAGE], { signal })

    await expect(stream.read({ signal })).to.eventually.be.rejected.with.property('name', 'UnsupportedProtocolError')
  })

  it('wait for the protocol to be negotiated where a stream is not created at once', async () => {
    const { handler, received } = partner()
    const connection = await connect(handler)
    const slow: any = { streams: [], newStream: connection.newStream }
    const stream = await MessageStream.open(slow, [MESSAGE, SYNC_MESSAGE], { signal })

    expect(normalized(await stream.read({ signal }))).to.deep.equal(ANSWER)
    expect(received.map(normalized)).to.deep.equal([MESSAGE, SYNC_MESSAGE])
  })

  it('refuse an answer that is not multistream-select', async () => {
    const [local, remote] = await streamPair()
    const streams: any[] = []
    const connection: any = {
      streams,
      newStream: async () => {
        local.protocol = ''
        streams.push(local)

        return local
      }
    }
    const stream = await MessageStream.open(connection, [MESSAGE], { signal })
    await lpStream(remote).write(Buffer.from('/something/else\n'))

    await expect(stream.read({ signal })).to.eventually.be.rejected.with.property('name', 'InvalidMessageError')
  })
})

/**
 * With plain byte arrays, so that it can be compared
 */
function normalized ({ type, addresses }: HolePunch): HolePunch {
  return { type, addresses: addresses.map(bytes => Uint8Array.from(bytes)) }
}
