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

  it('come in order, and no more than a stream may queue, from a socket that is paused again and again', async () => {
    const sent = randomBytes(4 * 1024 * 1024)
    const received: Uint8Array[] = []
    let queued = 0

    onBytes(accepted, chunk => {
      received.push(chunk)
      accepted.pause()
      setImmediate(() => {
        queued = Math.max(queued, accepted.readableLength)
        accepted.resume()
      })
    })
    client.end(sent)
    await pEvent(accepted, 'end', EVENT)

    expect(hash(received)).to.equal(hash([sent]))
    expect(queued).to.be.greaterThan(0)
    // what is read last goes above it
    expect(queued).to.be.at.most(accepted.readableHighWaterMark + 65_536)
  })

  it('come after those that were put back', async () => {
    const received: Uint8Array[] = []
    accepted.unshift(Buffer.from('first '))
    client.end('second')
    onBytes(accepted, chunk => { received.push(chunk) })
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
