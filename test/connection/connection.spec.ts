import { createHash, randomBytes } from 'node:crypto'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { Uint8ArrayList } from 'uint8arraylist'
import { tcpSTUN } from '../../src/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components, plainUpgrader } from '../fixtures/components.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import type { TCPSTUNInit } from '../../src/index.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Socket } from 'node:net'

const EVENT = { timeout: 20_000 }
const MIB = 1_048_576

describe('connection', () => {
  const { closing } = closesAfterEach()

  /**
   * A connection of ours, and the raw socket at its other end
   */
  async function connect (
    init: TCPSTUNInit = {},
    onSocket: (socket: Socket) => void = () => {}
  ): Promise<{ maConn: MultiaddrConnection; socket: Socket }> {
    const accepted = Promise.withResolvers<Socket>()
    const server = await fakeServer(socket => {
      onSocket(socket)
      accepted.resolve(socket)
    })
    closing.push(server)
    const upgrader = plainUpgrader()
    const transport = tcpSTUN(init)(components())
    await transport.dial(multiaddr(`/ip4/127.0.0.1/tcp/${server.port}`), {
      upgrader,
      signal: AbortSignal.timeout(5_000)
    })

    return { maConn: upgrader.outbound[0], socket: await accepted.promise }
  }

  for (const piece of [1_000, 65_536]) {
    it(`carries 32 MiB in pieces of ${piece} bytes past a slow reader, with back-pressure`, async () => {
      const { maConn, socket } = await connect()
      socket.pause()
      // more than the system takes for both ends at once
      const data = randomBytes(32 * MIB)
      const received = createHash('sha256')
      let length = 0
      let drains = 0

      const sending = (async () => {
        for (let i = 0; i < data.byteLength; i += 8 * piece) {
          const list = new Uint8ArrayList()

          for (let j = i; j < Math.min(i + 8 * piece, data.byteLength); j += piece) {
            list.append(data.subarray(j, Math.min(j + piece, data.byteLength)))
          }

          if (!maConn.send(list)) {
            drains++
            await pEvent(maConn, 'drain', { ...EVENT, rejectionEvents: ['close'] })
          }
        }

        await maConn.close({ signal: AbortSignal.timeout(20_000) })
      })()

      const ended = pEvent(socket, 'end', EVENT)
      socket.on('data', chunk => {
        length += chunk.byteLength
        received.update(chunk)
        socket.pause()
        setImmediate(() => { socket.resume() })
      })
      socket.resume()
      await ended
      socket.end()
      await sending

      expect(length).to.equal(data.byteLength)
      expect(received.digest('hex')).to.equal(createHash('sha256').update(data).digest('hex'))
      expect(drains).to.be.greaterThan(1)
    })
  }

  it('sends what is sent in one turn in one segment', async () => {
    const { maConn, socket } = await connect()
    const chunks: number[] = []
    const ended = pEvent(socket, 'end', EVENT)
    socket.on('data', chunk => { chunks.push(chunk.byteLength) })

    for (let i = 0; i < 10; i++) {
      maConn.send(new Uint8ArrayList(Uint8Array.of(i), new Uint8Array(99)))
    }

    const closed = maConn.close()
    await ended
    socket.end()
    await closed

    expect(chunks).to.deep.equal([1_000])
  })

  it('delivers everything that was sent before it is closed', async () => {
    for (const bytes of [1, 100_000, 3 * MIB]) {
      const { maConn, socket } = await connect()
      let length = 0
      const ended = pEvent(socket, 'end', EVENT)
      socket.on('data', chunk => { length += chunk.byteLength })
      maConn.send(new Uint8Array(bytes))
      const closed = maConn.close({ signal: AbortSignal.timeout(10_000) })
      await ended
      socket.end()
      await closed

      expect(length).to.equal(bytes)
      expect(maConn).to.have.property('status', 'closed')
    }
  })

  it('receives, also while paused', async () => {
    const { maConn, socket } = await connect()
    maConn.pause()
    socket.write('hello')
    const message = pEvent<'message', any>(maConn, 'message', EVENT)
    maConn.resume()

    expect(new TextDecoder().decode((await message).data.subarray())).to.equal('hello')
    maConn.abort(new Error('done'))
  })

  it('resets the other end when it is aborted, also with data under way', async () => {
    const { maConn, socket } = await connect()
    const failed = pEvent<'error', NodeJS.ErrnoException>(socket, 'error', { ...EVENT, rejectionEvents: [] })
    maConn.send(new Uint8Array(10))
    maConn.abort(new Error('Oh noes!'))

    expect((await failed).code).to.equal('ECONNRESET')
    expect(maConn).to.have.property('status', 'aborted')
    expect(() => maConn.send(new Uint8Array(1))).to.throw()
  })

  it('closes when the other end does, and aborts when it is reset', async () => {
    const ended = await connect()
    const closed = pEvent(ended.maConn, 'close', EVENT)
    ended.socket.end()
    await closed
    expect(ended.maConn).to.have.property('status', 'closed')

    const reset = await connect()
    const aborted = pEvent(reset.maConn, 'close', EVENT)
    reset.socket.resetAndDestroy()
    await aborted
    expect(reset.maConn).to.have.property('status', 'aborted')
  })

  it('closes when it was quiet for too long', async () => {
    const { maConn } = await connect({ outboundSocketInactivityTimeout: 50 })
    const { error } = await pEvent<'close', any>(maConn, 'close', EVENT)

    expect(error).to.have.property('name', 'TimeoutError')
  })

  it('gives up closing when the signal says so', async () => {
    const { maConn, socket } = await connect()
    socket.pause()
    maConn.send(new Uint8Array(8 * MIB))

    await expect(maConn.close({ signal: AbortSignal.timeout(50) })).to.eventually.be.rejected()
    maConn.abort(new Error('done'))
  })
})
