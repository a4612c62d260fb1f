import { readdirSync } from 'node:fs'
import net from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { createSTUNServer } from '../../src/server/index.ts'
import { decodeMessage, getAttribute } from '../../src/stun/message.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { rawClient, request } from '../fixtures/raw-client.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { Endpoint } from '../../src/address/endpoint.ts'
import type { STUNServer, STUNServerInit } from '../../src/server/index.ts'
import type { STUNMessage } from '../../src/stun/message.ts'
import type { Certificate } from '../fixtures/certificate.ts'

const EVENT = { timeout: 10_000 }
const HOST = '127.0.0.1'

/**
 * A TLS session and the TCP connection below it
 */
interface TLSClient {
  raw: net.Socket
  session: tls.TLSSocket
}

/**
 * A stream in front of a socket: Node can reset a socket, and write to it, only
 * while no TLS session is directly on it
 */
function toDuplex (raw: net.Socket): Duplex {
  const duplex = new Duplex({
    read: () => {},
    write: (chunk, _, callback) => { raw.write(chunk, callback) },
    final: callback => { raw.end(callback) }
  })
  raw.on('data', chunk => { duplex.push(chunk) })
  raw.on('end', () => { duplex.push(null) })
  raw.on('close', () => { duplex.destroy() })

  return duplex
}

async function ask ({ session }: TLSClient): Promise<STUNMessage> {
  session.write(request())

  return decodeMessage(await pEvent<'data', Uint8Array>(session, 'data', EVENT))
}

async function reset ({ raw }: TLSClient): Promise<void> {
  raw.resetAndDestroy()
  await ended(raw)
}

async function ended (raw: net.Socket): Promise<void> {
  if (!raw.closed) {
    await pEvent(raw, 'close', { ...EVENT, rejectionEvents: [] })
  }
}

/**
 * The first bytes of a TLS client
 */
async function clientHello (): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const server = await fakeServer(socket => { socket.once('data', resolve) })
  const client = tls.connect({ host: server.host, port: server.port })
  client.on('error', () => {})
  const hello = await promise
  client.destroy()
  await server.close()

  return hello
}

function countDescriptors (): number {
  return readdirSync('/proc/self/fd').length
}

describe('STUN server, TLS', () => {
  const { closing, closeLater } = closesAfterEach()
  let certificate: Certificate

  before(() => {
    certificate = createCertificate()
  })

  after(() => {
    certificate.remove()
  })

  async function start (listeners = 1, init: STUNServerInit = {}): Promise<STUNServer> {
    const listen = Array.from({ length: listeners }, () => ({ host: HOST, port: 0 }))
    const server = closeLater(
      createSTUNServer({ ...init, listen: [], tls: { key: certificate.key, cert: certificate.cert, listen } })
    )
    await server.listen()

    return server
  }

  /**
   * A TLS client, from this local port if there is one
   */
  async function connect (
    server: Endpoint,
    options: tls.ConnectionOptions = {},
    localPort?: number
  ): Promise<TLSClient> {
    const raw =
      localPort == null
        ? net.connect({ ...server, noDelay: true })
        : bindSocket({ host: HOST, port: localPort }).connect(server)
    raw.on('error', () => {})
    const session = tls.connect({ socket: toDuplex(raw), ca: certificate.cert, host: 'localhost', ...options })
    session.on('error', () => {})
    closing.push({
      close: () => { raw.destroy() }
    })
    await pEvent(session, 'secureConnect', EVENT)

    return { raw, session }
  }

  it('keeps nothing of clients that reset the connection right after the handshake', async function () {
    if (process.platform !== 'linux') {
      return this.skip()
    }

    const server = await start(1, {
      maxConnectionsPerAddress: 50,
      maxNewConnectionsPerSecond: 1_000,
      messageTimeout: 60_000
    })
    const [address] = server.addresses
    const before = countDescriptors()

    for (let i = 0; i < 150; i++) {
      await reset(await connect(address))
    }

    await waitUntil('the server has no connections', () => server.counters.connections === 0)
    await waitUntil('the descriptors are closed', () => countDescriptors() <= before)
    await ask(await connect(address))
    expect(server.counters.refused.address).to.equal(0)
  })

  for (const end of ['FIN', 'RST'] as const) {
    for (const { title, sent } of [
      { title: 'before', sent: 0 },
      { title: 'in', sent: 50 },
      { title: 'after', sent: Infinity }
    ]) {
      it(`keeps nothing of a client that sends ${end} ${title} its first message`, async () => {
        const server = await start(1, { messageTimeout: 60_000 })
        const hello = await clientHello()
        const client = net.connect({ ...server.addresses[0], allowHalfOpen: true })
        closing.push({ close: () => { client.destroy() } })
        client.on('error', () => {})
        client.resume()
        await waitUntil('the connection is accepted', () => server.counters.connections === 1)
        client.write(hello.subarray(0, sent), () => {
          if (end === 'FIN') {
            client.end()
          } else {
            client.resetAndDestroy()
          }
        })

        await waitUntil('the server has no connections', () => server.counters.connections === 0)
      })
    }
  }

  it('serves one client port on two listeners, each with its own address', async () => {
    const server = await start(2)
    const { port } = bindSocket({ host: HOST, port: 0 })

    for (let i = 0; i < 10; i++) {
      const clients = await Promise.all(server.addresses.map(async address => connect(address, {}, port)))

      for (const [index, client] of clients.entries()) {
        const message = await ask(client)
        expect(getAttribute(message, 'RESPONSE-ORIGIN')?.address).to.deep.equal({
          host: HOST,
          port: server.addresses[index].port
        })
        expect(getAttribute(message, 'XOR-MAPPED-ADDRESS')?.address).to.deep.equal({ host: HOST, port })
      }

      await Promise.all(clients.map(reset))
      await waitUntil('the server has no connections', () => server.counters.connections === 0)
    }
  })

  it('closes at once, with clients before, in and after the handshake', async () => {
    const server = await start()
    const [address] = server.addresses
    const silent = closeLater(await rawClient(address))
    const started = closeLater(await rawClient(address))
    started.socket.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1))
    const client = await connect(address)
    await ask(client)
    await waitUntil('the server has three connections', () => server.counters.connections === 3)
    const drained = server.drain({ deadline: 60_000 })
    await server.close()
    await Promise.all([drained, silent.closed, started.closed, ended(client.raw)])

    await waitUntil('the server has no connections', () => server.counters.connections === 0)
    expect(server.counters.resets.closed).to.equal(3)
  })

  it('ends a session whose client renegotiates', async () => {
    const server = await start()
    const client = await connect(server.addresses[0], { maxVersion: 'TLSv1.2' })
    await ask(client)
    client.session.renegotiate({}, () => {})
    await ended(client.raw)

    expect(server.counters.resets.tls).to.equal(1)
  })

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`ends a session with a forged record: ${maxVersion}`, async () => {
      const server = await start()
      const client = await connect(server.addresses[0], { maxVersion })
      await ask(client)
      client.raw.write(Buffer.concat([Uint8Array.of(0x17, 3, 3, 0, 40), Buffer.alloc(40, 0xa5)]))
      await ended(client.raw)

      expect(server.counters.resets.tls).to.equal(1)
    })

    it(`resumes a session: ${maxVersion}`, async () => {
      const server = await start()
      const first = await connect(server.addresses[0], { maxVersion })
      let ticket = first.session.getSession()
      first.session.on('session', bytes => { ticket = bytes })
      await ask(first)
      const second = await connect(server.addresses[0], { maxVersion, session: ticket })
      await ask(second)

      expect(second.session.isSessionReused()).to.equal(true)
    })
  }

  it('answers requests before a half-close', async () => {
    const server = await start()
    const { session } = await connect(server.addresses[0])
    session.end(Buffer.concat([request(), request()]))
    session.resume()
    await pEvent(session, 'close', { ...EVENT, rejectionEvents: [] })

    expect(server.counters.bindings).to.equal(2)
    await waitUntil('the server has no connections', () => server.counters.connections === 0)
    expect(server.counters.resets.tls).to.equal(0)
  })
})
