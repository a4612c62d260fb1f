import { once } from 'node:events'
import net from 'node:net'
import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { AutoTLSCertificate } from '../../src/websockets/auto-tls.ts'
import { Deadlines } from '../../src/websockets/deadlines.ts'
import { createSharedPort } from '../../src/websockets/shared-port.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components } from '../fixtures/components.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { connectTo } from './open-port.ts'
import { UPGRADE } from './upgrade.ts'
import type { RawConnection } from './open-port.ts'
import type { WebSocketsOptions } from '../../src/index.ts'

const GET = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

interface Accepted {
  client: RawConnection

  /**
   * The end of the port
   */
  socket: net.Socket
}

describe('time limits of a shared port', () => {
  const { closeLater } = closesAfterEach()
  const test = {} as { clock: HeldClock }

  beforeEach(() => { test.clock = new HeldClock() })

  /**
   * @returns a function that connects, sends something, and waits until it has arrived
   */
  async function open (options: WebSocketsOptions = {}): Promise<(first: string) => Promise<Accepted>> {
    const log = defaultLogger().forComponent('test')
    const port = closeLater(await createSharedPort({
      options,
      autoTLS: new AutoTLSCertificate(components()),
      isPrivate: false,
      log,
      clock: test.clock,
      connectionInit: { direction: 'inbound', log, localAddr: multiaddr('/ip4/127.0.0.1/tcp/1/ws') },
      onLibp2p: () => {},
      onWebSocket: (stream, create) => { create() },
      onSecure: () => {}
    }))
    const sockets = new Map<number | undefined, net.Socket>()
    const server = net.createServer({ noDelay: true }, socket => {
      port.accept(socket)
      sockets.set(socket.remotePort, socket)
    }).listen(0, '127.0.0.1')
    closeLater({ close: () => { server.close() } })
    await once(server, 'listening')

    return async first => {
      const client = closeLater(await connectTo((server.address() as net.AddressInfo).port, first))
      const { localPort } = client.socket
      await arrived(() => sockets.get(localPort), first.length)

      return { client, socket: sockets.get(localPort) as net.Socket }
    }
  }

  async function arrived (find: () => net.Socket | undefined, length: number): Promise<void> {
    await waitUntil('the bytes have arrived', () => find()?.bytesRead === length)
  }

  for (const { name, first } of [
    { name: 'says nothing', first: '' },
    { name: 'sends half a method', first: 'GE' },
    { name: 'sends half a TLS record', first: '\x16\x03' }
  ]) {
    it(`resets a connection that ${name} after 5 s`, async () => {
      const { client, socket } = await (await open())(first)

      test.clock.advance(4_999)
      expect(socket.destroyed).to.equal(false)
      test.clock.advance(1)
      expect(await client.closed).to.include({ text: '', how: 'ECONNRESET' })
    })
  }

  for (const { name, first } of [
    { name: 'head', first: GET.slice(0, -2) },
    { name: 'body', first: GET.replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 5\r\n\r\n1234') }
  ]) {
    it(`answers 408 when the ${name} of a request is not complete after 10 s`, async () => {
      const { client, socket } = await (await open({ onRequest: request => { request.resume() } }))(first)

      test.clock.advance(9_999)
      expect(socket).to.include({ destroyed: false, writableEnded: false })
      test.clock.advance(1)
      expect((await client.closed).text).to.match(/^HTTP\/1\.1 408 /)
    })
  }

  it('gives no more time for sending slowly', async () => {
    const { client, socket } = await (await open())(GET.slice(0, 20))

    for (let sent = 20; sent < 29; sent++) {
      test.clock.advance(1_000)
      client.socket.write(GET[sent])
      await arrived(() => socket, sent + 1)
    }

    expect(socket.writableEnded).to.equal(false)
    test.clock.advance(1_000)
    expect((await client.closed).text).to.match(/^HTTP\/1\.1 408 /)
  })

  for (const { name, first, answers } of [
    { name: 'that carries libp2p', first: '\x13/multistream/1.0.0\n', answers: false },
    { name: 'with an open WebSocket', first: UPGRADE, answers: true },
    { name: 'whose answer is not complete', first: GET, answers: true }
  ]) {
    it(`lets a connection ${name} live`, async () => {
      const connect = await open({ onRequest: (request, response) => { response.write('event') } })
      const { client, socket } = await connect(first)
      closeLater({ close: () => { socket.destroy() } })

      if (answers) {
        await waitUntil('it is answered', () => client.socket.bytesRead > 0)
      }

      test.clock.advance(3_600_000)
      expect(socket).to.include({ destroyed: false, writableEnded: false })
    })
  }

  it('has one timer for all connections', async () => {
    const connect = await open()
    const early = await Promise.all(Array.from({ length: 50 }, async () => connect('')))
    test.clock.advance(1_000)
    const late = await Promise.all(Array.from({ length: 50 }, async () => connect('')))
    expect(test.clock.pending).to.equal(1)

    test.clock.advance(4_000)
    await Promise.all(early.map(async ({ client }) => client.closed))
    expect(late.some(({ socket }) => socket.destroyed)).to.equal(false)

    test.clock.advance(1_000)
    await Promise.all(late.map(async ({ client }) => client.closed))
    expect(test.clock.pending).to.equal(0)
  })
})

describe('deadlines', () => {
  it('expire in order, also when there are 5 000, by one timer', () => {
    const clock = new HeldClock()
    const expired: number[] = []
    const deadlines = new Deadlines<number>({ clock, time: 5_000, onExpire: item => { expired.push(item) } })

    for (let i = 0; i < 5_000; i++) {
      deadlines.start(i)
      clock.advance(0.5)
    }

    deadlines.stop(1)
    expect(clock.pending).to.equal(1)
    clock.advance(2_505)
    expect(expired.slice(0, 3)).to.deep.equal([0, 2, 3])
    expect(deadlines.size).to.equal(4_999 - expired.length)

    clock.advance(2_500)
    expect(expired).to.have.lengthOf(4_999)
    expect(deadlines.size).to.equal(0)
    expect(clock.pending).to.equal(0)
  })
})
