import { once } from 'node:events'
import { deflateRawSync } from 'node:zlib'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { connectTo, openPort } from './open-port.ts'
import { UPGRADE } from './upgrade.ts'

const EVENT = { timeout: 10_000 }

/**
 * A frame of a client (RFC 6455, section 5.2), masked with zeros
 */
function frame (first: number, payload: Uint8Array, claimed = payload.byteLength): Buffer {
  const length = claimed < 126 ? Buffer.of(0x80 | claimed) : Buffer.alloc(9, 0x80 | 127)

  if (claimed >= 126) {
    length.writeBigUInt64BE(BigInt(claimed), 1)
  }

  return Buffer.concat([Buffer.of(first), length, Buffer.alloc(4), payload])
}

/**
 * Each costs far more memory than its byte
 */
const SMALL_FRAGMENTS = Buffer.concat([
  frame(0x02, new Uint8Array(1)), ...Array.from({ length: 20_000 }, () => frame(0x00, new Uint8Array(1)))
])

describe('hostile WebSockets of a shared port', () => {
  const { closeLater } = closesAfterEach()

  async function openWebSocket (port: number): Promise<{ send(bytes: Uint8Array): void, closed: Promise<Buffer> }> {
    const client = closeLater(await connectTo(port, UPGRADE))
    await once(client.socket, 'data')

    return {
      send: bytes => { client.socket.write(bytes) },
      closed: client.closed.then(({ bytes }) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4))
    }
  }

  for (const { name, bytes, code } of [
    { name: 'a frame of 1 GiB', bytes: frame(0x82, new Uint8Array(10), 2 ** 30), code: 1009 },
    { name: 'a frame of 2^63 bytes', bytes: Buffer.from('82ff8000000000000000' + '00000000', 'hex'), code: 1009 },
    { name: 'a text message', bytes: frame(0x81, Buffer.from('hello')), code: 1003 },
    { name: 'a text message that is not UTF-8', bytes: frame(0x81, Buffer.from('ff', 'hex')), code: 1007 },
    { name: 'a compressed message', bytes: frame(0xc2, deflateRawSync(Buffer.alloc(100_000_000))), code: 1002 },
    { name: 'a frame without a mask', bytes: Buffer.from('820161', 'hex'), code: 1002 },
    { name: 'a reserved opcode', bytes: frame(0x83, new Uint8Array(1)), code: 1002 },
    { name: 'a ping of 126 bytes', bytes: frame(0x89, new Uint8Array(126)), code: 1002 },
    { name: 'a ping in fragments', bytes: frame(0x09, new Uint8Array(1)), code: 1002 },
    { name: 'a reserved bit', bytes: frame(0xa2, new Uint8Array(1)), code: 1002 },
    { name: 'a fragment of no message', bytes: frame(0x80, new Uint8Array(1)), code: 1002 },
    { name: 'a close frame of one byte', bytes: frame(0x88, new Uint8Array(1)), code: 1002 },
    { name: 'a close frame with a code that nobody sends', bytes: frame(0x88, Buffer.from('03ed', 'hex')), code: 1002 },
    { name: 'a message in endless small fragments', bytes: SMALL_FRAGMENTS, code: 1008 }
  ]) {
    it(`closes a WebSocket with ${code} for ${name}`, async () => {
      const { port, next } = closeLater(await openPort())
      const client = await openWebSocket(port)
      const maConn = await next()
      const ended = pEvent(maConn, 'close', EVENT)
      let received = 0
      maConn.addEventListener('message', ({ data }) => { received += data.byteLength })
      client.send(bytes)
      await ended
      const answer = await client.closed

      const close = Buffer.of(0x88, 2, code >>> 8, code & 0xff)
      expect(answer.subarray(0, 4).toString('hex')).to.equal(close.toString('hex'))
      expect(received).to.equal(0)
      expect(maConn.status).to.equal('aborted')
    })
  }

  it('closes a WebSocket with 1009 whose fragments are a message of more than the limit', async () => {
    const { port, next } = closeLater(await openPort({ webSockets: { maxMessageSize: 1_000 } }))
    const client = await openWebSocket(port)
    const maConn = await next()
    const ended = pEvent(maConn, 'close', EVENT)
    client.send(frame(0x02, new Uint8Array(600)))
    client.send(frame(0x00, new Uint8Array(600)))
    await ended

    expect((await client.closed).subarray(0, 4).toString('hex')).to.equal('880203f1')
  })

  it('ends a WebSocket whose pings come faster than their answers can leave', async () => {
    const { port, next } = closeLater(await openPort())
    const client = await openWebSocket(port)
    const maConn = await next()
    const ended = pEvent(maConn, 'close', EVENT)
    client.send(Buffer.concat(Array.from({ length: 10_000 }, () => frame(0x89, new Uint8Array(125)))))
    await ended

    // they do not pile up in memory
    expect((await client.closed).byteLength).to.be.below(100_000)
  })
})
