import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { resetSocket } from '../../src/net/reset-socket.ts'

const EVENT = { timeout: 10_000 }

describe('socket reset', () => {
  let server: net.Server
  let client: net.Socket
  let accepted: net.Socket
  let ended: Promise<string>

  beforeEach(async () => {
    server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await pEvent(server, 'listening', EVENT)
    client = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
    ended = new Promise(resolve => {
      client.on('error', (err: NodeJS.ErrnoException) => { resolve(err.code ?? err.message) })
      client.on('end', () => { resolve('end') })
    })
    accepted = await pEvent<'connection', net.Socket>(server, 'connection', EVENT)
  })

  afterEach(async () => {
    client.destroy()
    accepted.destroy()
    server.close()
    await pEvent(server, 'close', EVENT)
  })

  it('reaches the other side', async () => {
    client.resume()
    resetSocket(accepted)
    await pEvent(accepted, 'close', EVENT)

    expect(await ended).to.equal('ECONNRESET')
  })

  it('closes a socket that is being shut down', async () => {
    client.resume()
    accepted.end()
    resetSocket(accepted)
    await pEvent(accepted, 'close', EVENT)

    expect(await ended).to.equal('end')
    expect(accepted.destroyed).to.be.true()
  })

  it('does not wait for a client that does not read', async () => {
    accepted.end(Buffer.alloc(16 * 1024 * 1024))
    expect(accepted.writableLength).to.be.greaterThan(0)
    resetSocket(accepted)
    await pEvent(accepted, 'close', EVENT)
    client.resume()

    expect(await ended).to.equal('ECONNRESET')
  })
})
