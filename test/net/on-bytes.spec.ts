import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { onBytes } from '../../src/net/on-bytes.ts'

const EVENT = { timeout: 10_000 }

function hash (bytes: Uint8Array[]): string {
  return createHash('sha256').update(Buffer.concat(bytes)).digest('hex')
}

describe('bytes of a socket', () => {
  let server: net.Server
  let client: net.Socket
  let accepted: net.Socket

  beforeEach(async () => {
    server = net.createServer().listen(0, '127.0.0.1')
    await pEvent(server, 'listening', EVENT)
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    accepted = await pEvent<'connection', net.Socket>(server, 'connection', EVENT)
  })

  afterEach(async () => {
    client.destroy()
    accepted.destroy()
    server.close()
    await pEvent(server, 'close', EVENT)
  })

  it('come in order, one piece after each pause, and are not queued', async () => {
    const sent = randomBytes(4 * 1024 * 1024)
    const received: Uint8Array[] = []
    let whilePaused = 0

    onBytes(accepted, chunk => {
      received.push(Buffer.from(chunk))
      whilePaused += accepted.isPaused() ? 1 : 0
      accepted.pause()
      setImmediate(() => {
        whilePaused += accepted.readableLength
        accepted.resume()
      })
    })
    client.end(sent)
    await pEvent(accepted, 'end', EVENT)

    expect(hash(received)).to.equal(hash([sent]))
    expect(whilePaused).to.equal(0)
  })

  it('of two sockets are read into the same memory', async () => {
    const other = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    const alsoAccepted = await pEvent<'connection', net.Socket>(server, 'connection', EVENT)
    const received: Array<{ text: string, memory: ArrayBufferLike }> = []

    try {
      const ends = [accepted, alsoAccepted].map(async socket => {
        onBytes(socket, chunk => { received.push({ text: Buffer.from(chunk).toString(), memory: chunk.buffer }) })
        await pEvent(socket, 'end', EVENT)
      })
      client.end('one')
      await ends[0]
      other.end('another')
      await ends[1]
    } finally {
      other.destroy()
      alsoAccepted.destroy()
    }

    expect(received.map(({ text }) => text)).to.deep.equal(['one', 'another'])
    // this Node has what `onBytes` needs
    expect(received[0].memory).to.equal(received[1].memory)
  })

  it('come after those that were put back', async () => {
    const received: Uint8Array[] = []
    accepted.unshift(Buffer.from('first '))
    client.end('second')
    onBytes(accepted, chunk => { received.push(Buffer.from(chunk)) })
    await pEvent(accepted, 'end', EVENT)

    expect(Buffer.concat(received).toString()).to.equal('first second')
  })

  it('end with the socket, and with its error', async () => {
    onBytes(accepted, () => { throw new Error('there are none') })
    const failed = pEvent<'error', Error>(accepted, 'error', { ...EVENT, rejectionEvents: [] })
    client.resetAndDestroy()

    expect(await failed).to.have.property('code', 'ECONNRESET')
  })
})
