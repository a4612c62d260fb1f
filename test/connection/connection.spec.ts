import { createHash, randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
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

  it('sends an answer at once, what follows it at the end of the turn', async () => {
    const signal = new Int32Array(new SharedArrayBuffer(4))
    const peer = new Worker(`
      const { workerData, parentPort } = require('node:worker_threads')
      const server = require('node:net').createServer(socket => {
        const chunks = []
        socket.on('error', () => {})
        socket.on('data', chunk => {
          chunks.push(chunk.byteLength)
          Atomics.add(workerData, 0, 1)
          Atomics.notify(workerData, 0)
        })
        socket.on('end', () => { parentPort.postMessage(chunks) })
        socket.write('question')
      })
      server.listen(0, '127.0.0.1', () => { parentPort.postMessage(server.address().port) })
    `, { eval: true, workerData: signal })
    closing.push({ close: async () => { await peer.terminate() } })
    const nextMessage = async (): Promise<any> => pEvent<string, any>(peer as any, 'message', EVENT)
    const port = await nextMessage()
    let waited: string | undefined
    const upgraded = Promise.withResolvers<MultiaddrConnection>()
    const upgrader = plainUpgrader({
      upgradeOutbound: async maConn => {
        maConn.addEventListener('message', () => {
          maConn.send(new Uint8Array(100))
          // the event loop stands still until the peer has the answer
          waited = Atomics.wait(signal, 0, 0, 5_000)
          maConn.send(new Uint8Array(10))
          maConn.send(new Uint8Array(20))
          upgraded.resolve(maConn)
        })
        return maConn as any
      }
    })
    await tcpSTUN()(components()).dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}`), {
      upgrader,
      signal: AbortSignal.timeout(5_000)
    })
    const maConn = await upgraded.promise
    const chunks = nextMessage()
    await maConn.close()

    expect(waited).to.not.equal('timed-out')
    expect(await chunks).to.deep.equal([100, 30])
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

  it('is closed, not aborted, when it still sends after the other end has closed', async () => {
    const { maConn, socket } = await connect()
    const closed = pEvent(maConn, 'close', EVENT)
    // all in one turn of the event loop, so the end of the other side is read after both writes
    socket.destroy()
    maConn.send(Uint8Array.of(1))
    process.nextTick(() => { maConn.send(Uint8Array.of(2)) })
    await closed

    expect(maConn).to.have.property('status', 'closed')
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
