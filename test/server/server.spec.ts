import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { fromString } from 'uint8arrays'
import { createSTUNServer } from '../../src/server/index.ts'
import { checkFingerprint } from '../../src/stun/fingerprint.ts'
import { METHOD_BINDING, getAttribute } from '../../src/stun/message.ts'
import { openClient } from '../../src/stun/open-client.ts'
import { parseSTUNURI } from '../../src/stun/uri.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { onLoopback } from '../fixtures/on-loopback.ts'
import { request } from '../fixtures/raw-client.ts'
import { waitUntil } from '../fixtures/wait-until.ts'

const EVENT = { timeout: 10_000 }
const HOST = '127.0.0.1'

describe('STUN server', () => {
  const { closing, connect, start } = onLoopback(createSTUNServer)

  it('serves a connection that another server has accepted, until it stops', async () => {
    // of a proxy too, whose clients are not announced there
    const server = await start({ trustedProxies: [`${HOST}/32`] })
    const other = net.createServer(socket => { server.accept(socket) }).listen(0, HOST)
    await pEvent(other, 'listening')

    try {
      const { port } = other.address() as net.AddressInfo
      const client = await connect({ host: HOST, port })
      client.socket.write(request())
      const { message } = await client.next()
      expect(getAttribute(message, 'XOR-MAPPED-ADDRESS')?.address).to.deep.equal({
        host: HOST,
        port: client.socket.localPort
      })
      expect(getAttribute(message, 'RESPONSE-ORIGIN')?.address).to.deep.equal({ host: HOST, port })
      expect(server.counters).to.include({ connections: 1, accepted: 1, bindings: 1 })

      const closed = pEvent(client.socket, 'close', { ...EVENT, rejectionEvents: [] })
      await server.close()
      await closed
      const late = net.connect(port, HOST)
      late.on('error', () => {})
      await pEvent(late, 'close', { ...EVENT, rejectionEvents: [] })
    } finally {
      other.close()
    }
  })

  for (const host of [HOST, '::1']) {
    it(`answers every request of a client at ${host} with its address`, async () => {
      const server = await start({ listen: [{ host, port: 0 }] })
      const client = await connect(server.addresses[0])

      for (let i = 1; i <= 3; i++) {
        const bytes = request()
        client.socket.write(bytes)
        const { message } = await client.next()
        expect(message).to.include({ class: 'success', method: METHOD_BINDING })
        expect(message.transactionId).to.equalBytes(bytes.subarray(8, 20))
        expect(getAttribute(message, 'XOR-MAPPED-ADDRESS')?.address).to.deep.equal({
          host,
          port: client.socket.localPort
        })
        expect(getAttribute(message, 'RESPONSE-ORIGIN')?.address).to.deep.equal({
          host,
          port: server.addresses[0].port
        })
        expect(getAttribute(message, 'SOFTWARE')?.value).to.equal('libp2p-tcp-stun')
        expect(getAttribute(message, 'FINGERPRINT')).to.equal(undefined)
      }

      expect(server.counters).to.include({ connections: 1, accepted: 1, bindings: 3 })
    })
  }

  it('reports IPv4 clients as IPv4', async () => {
    const server = await start({ listen: [{ host: HOST, port: 0 }] })
    const client = await connect(server.addresses[0])
    client.socket.write(request())

    expect(getAttribute((await client.next()).message, 'XOR-MAPPED-ADDRESS')?.address.host).to.equal(HOST)
  })

  it('dispatches an event for each Binding', async () => {
    const server = await start()
    const seen = pEvent<'binding', CustomEvent>(server, 'binding', EVENT)
    const client = await connect(server.addresses[0])
    client.socket.write(request())

    expect((await seen).detail).to.deep.equal({
      client: { host: HOST, port: client.socket.localPort },
      server: { host: HOST, port: server.addresses[0].port },
      transport: 'tcp'
    })
  })

  it('answers a FINGERPRINT with one, and ignores a wrong one', async () => {
    const server = await start()
    const client = await connect(server.addresses[0])
    const wrong = request([], {}, { fingerprint: true })
    wrong[wrong.byteLength - 1] ^= 1
    client.socket.write(wrong)
    const right = request([], {}, { fingerprint: true })
    client.socket.write(right)
    const { message, bytes } = await client.next()

    expect(message.transactionId).to.equalBytes(right.subarray(8, 20))
    expect(checkFingerprint(bytes)).to.be.true()
    expect(server.counters.ignored).to.equal(1)
  })

  it('names another of its endpoints as OTHER-ADDRESS', async () => {
    const server = await start({
      listen: [
        { host: HOST, port: 0 },
        { host: HOST, port: 0 },
        { host: '127.0.0.2', port: 0 },
        { host: '::1', port: 0 }
      ]
    })
    const [first, , third, sixth] = server.addresses
    const other = async (address: { host: string, port: number }): Promise<unknown> => {
      const client = await connect(address)
      client.socket.write(request())
      return getAttribute((await client.next()).message, 'OTHER-ADDRESS')?.address
    }

    expect(await other(first)).to.deep.equal({ host: third.host, port: third.port })
    expect(await other(third)).to.deep.equal({ host: first.host, port: first.port })
    expect(await other(sixth)).to.equal(undefined)
  })

  for (const { title, bytes, code, codes } of [
    {
      title: 'an unknown comprehension-required attribute',
      bytes: () =>
        request([
          { type: 'UNKNOWN', code: 0x7ffe, value: new Uint8Array(4) },
          { type: 'UNKNOWN', code: 0x0024, value: new Uint8Array(4) },
          { type: 'UNKNOWN', code: 0x7ffe, value: new Uint8Array(1) }
        ]),
      code: 420,
      codes: [0x7ffe, 0x0024]
    },
    {
      title: 'CHANGE-REQUEST',
      bytes: () => request([{ type: 'CHANGE-REQUEST', changeIP: true, changePort: true }]),
      code: 420,
      codes: [3]
    },
    { title: 'an unknown method', bytes: () => request([], { method: 3 }), code: 400 }
  ]) {
    it(`answers ${code} to ${title}`, async () => {
      const server = await start()
      const client = await connect(server.addresses[0])
      client.socket.write(bytes())
      const { message } = await client.next()

      expect(message.class).to.equal('error')
      expect(getAttribute(message, 'ERROR-CODE')?.code).to.equal(code)
      expect(getAttribute(message, 'UNKNOWN-ATTRIBUTES')?.codes).to.deep.equal(codes)

      // and goes on
      client.socket.write(request())
      expect((await client.next()).message.class).to.equal('success')
    })
  }

  for (const { title, bytes } of [
    {
      title: 'an unknown optional attribute',
      bytes: () => request([{ type: 'UNKNOWN', code: 0xfffe, value: new Uint8Array(4) }])
    },
    {
      title: 'a CHANGE-REQUEST for nothing',
      bytes: () => request([{ type: 'CHANGE-REQUEST', changeIP: false, changePort: false }])
    },
    {
      title: 'credentials',
      bytes: () => request([{ type: 'USERNAME', value: 'me' }], {}, { integrityKey: new Uint8Array(4) })
    },
    { title: 'padding that is not zero', bytes: () => request([{ type: 'SOFTWARE', value: 'abc' }]).fill(0xff, -1) }
  ]) {
    it(`accepts ${title}`, async () => {
      const server = await start()
      const client = await connect(server.addresses[0])
      client.socket.write(bytes())

      expect((await client.next()).message.class).to.equal('success')
    })
  }

  it('does not answer indications and responses', async () => {
    const server = await start()
    const client = await connect(server.addresses[0])

    for (const type of ['indication', 'success', 'error'] as const) {
      client.socket.write(request([], { class: type }))
    }

    const last = request()
    client.socket.write(last)
    expect((await client.next()).message.transactionId).to.equalBytes(last.subarray(8, 20))
    expect(server.counters.ignored).to.equal(3)
  })

  it('answers requests that come byte by byte, two and a half at once, or before a half-close', async () => {
    const server = await start()
    const slow = await connect(server.addresses[0])

    for (const byte of request()) {
      await new Promise<void>(resolve => { slow.socket.write(Uint8Array.of(byte), () => { resolve() }) })
    }

    expect((await slow.next()).message.class).to.equal('success')

    const many = await connect(server.addresses[0])
    const [a, b, c] = [request(), request(), request()]
    many.socket.write(Buffer.concat([a, b, c.subarray(0, 10)]))
    expect((await many.next()).message.transactionId).to.equalBytes(a.subarray(8, 20))
    expect((await many.next()).message.transactionId).to.equalBytes(b.subarray(8, 20))
    many.socket.write(c.subarray(10))
    expect((await many.next()).message.transactionId).to.equalBytes(c.subarray(8, 20))

    const closing = await connect(server.addresses[0])
    closing.socket.end(request())
    expect((await closing.next()).message.class).to.equal('success')
    await closing.closed
  })

  for (const [title, bytes] of Object.entries({
    HTTP: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    TLS: Uint8Array.of(0x16, 3, 1, 2, 0, 1),
    'a wrong cookie': fromString('000100002112a443b7e7a701bc34d686fa87dfae', 'base16'),
    'a length that is no multiple of 4': Uint8Array.of(0, 1, 0, 1),
    'a message of 65532 bytes': Uint8Array.of(0, 1, 0xff, 0xfc),
    'an attribute that overruns': fromString('000100042112a442b7e7a701bc34d686fa87dfae80220004', 'base16')
  })) {
    it(`resets ${title}`, async () => {
      const server = await start()
      const client = await connect(server.addresses[0])
      client.socket.write(bytes)
      await client.closed

      expect(server.counters.resets['not-stun']).to.equal(1)
    })
  }

  it('resets a message that is not completed in time', async () => {
    const server = await start({ messageTimeout: 50 })
    const idle = await connect(server.addresses[0])
    const client = await connect(server.addresses[0])
    client.socket.write(request().subarray(0, 19))
    await client.closed
    expect(server.counters.resets['message-timeout']).to.equal(1)

    // an idle one is kept
    idle.socket.write(request())
    await idle.next()
  })

  it('resets a client that sends too many requests', async () => {
    const server = await start({ maxRequestsPerSecond: 5 })
    const client = await connect(server.addresses[0])
    client.socket.write(Buffer.concat(Array.from({ length: 7 }, () => request())))
    await client.closed

    expect(server.counters.resets.rate).to.equal(1)
    expect(server.counters.bindings).to.equal(5)
  })

  it('refuses connections beyond the limits for one address and in total', async () => {
    for (const [limit, reason] of [['maxConnectionsPerAddress', 'address'], ['maxConnections', 'connections']]) {
      const server = await start({ [limit]: 2 })
      const [first, second] = [await connect(server.addresses[0]), await connect(server.addresses[0])]

      for (const client of [first, second]) {
        client.socket.write(request())
        await client.next()
      }

      const third = net.connect(server.addresses[0])
      third.on('error', () => {})
      await pEvent(third, 'close', { ...EVENT, rejectionEvents: [] })
      expect(server.counters.connections).to.equal(2)
      expect(server.counters.refused).to.include({ [reason]: 1 })

      first.socket.write(request())
      await first.next()
      second.socket.destroy()

      await waitUntil('the server has noticed the end of the second', () => server.counters.connections === 1)

      const fourth = await connect(server.addresses[0])
      fourth.socket.write(request())
      await fourth.next()
    }
  })

  it('does not collect responses for a client that never reads', async function () {
    this.timeout(30_000)
    const server = await start({ maxRequestsPerSecond: 1e9, messageTimeout: 200 })
    const socket = net.connect(server.addresses[0])
    closing.push({ close: () => socket.destroy() })
    socket.on('error', () => {})
    const closed = pEvent(socket, 'close', { timeout: 20_000, rejectionEvents: [] })
    await pEvent(socket, 'connect', EVENT)
    socket.pause()
    const batch = Buffer.concat(Array.from({ length: 1_000 }, () => request()))
    const flood = (): void => {
      while (!socket.destroyed && socket.write(batch)) {
        // as long as the kernel takes it
      }
    }
    socket.on('drain', flood)
    flood()
    // a paused socket does not see the reset: the server's side is looked at
    await waitUntil('the server has reset the client', () => server.counters.resets['not-reading'] === 1, 20_000)
    socket.destroy()
    await closed
  })

  it('serves over TLS', async () => {
    const certificate = createCertificate()
    closing.push({ close: () => { certificate.remove() } })
    const server = await start({
      tls: { key: certificate.key, cert: certificate.cert, listen: [{ host: HOST, port: 0 }] }
    })
    const [, { port, transport }] = server.addresses
    expect(transport).to.equal('tls')

    const { client, result } = await openClient(parseSTUNURI(`stuns:localhost:${port}`), {
      local: { host: HOST, port: 0 },
      tls: { ca: certificate.cert }
    })
    expect(result.mapped).to.deep.equal(result.local)
    expect((await client.request()).mapped).to.deep.equal(result.local)
    client.close()

    // plain STUN on the port for TLS
    const plain = await connect(server.addresses[1])
    plain.socket.write(request())
    await plain.closed
  })

  it('reports EADDRINUSE, and listens nowhere', async () => {
    const server = await start()
    const second = createSTUNServer({ listen: [{ host: HOST, port: 0 }, server.addresses[0]] })

    await expect(second.listen()).to.eventually.be.rejected().with.property('code', 'EADDRINUSE')
    expect(second.addresses).to.be.empty()
    await expect(server.listen()).to.eventually.be.rejected().with.property('name', 'AlreadyStartedError')
  })

  it('resets all clients when it is closed, and can listen again', async () => {
    const server = await start()
    const client = await connect(server.addresses[0])
    await server.close()
    await client.closed
    await server.close()
    await server.listen()
    const again = await connect(server.addresses[0])
    again.socket.write(request())
    await again.next()
  })

  it('rejects listen() when it is closed at once, and can listen again', async () => {
    const server = createSTUNServer({ listen: [{ host: HOST, port: 0 }] })
    closing.push(server)
    const listening = server.listen()
    await Promise.all([
      server.close(),
      expect(listening).to.eventually.be.rejected().with.property('name', 'AbortError')
    ])
    expect(server).to.include({ state: 'idle' }).and.have.property('addresses').that.is.empty()

    await server.listen()
    expect(server.addresses).to.have.lengthOf(1)
  })

  it('rejects listen() when it is drained at once, and can listen again', async () => {
    const server = createSTUNServer({ listen: [{ host: HOST, port: 0 }, { host: HOST, port: 0 }] })
    closing.push(server)
    const listening = server.listen()
    await Promise.all([
      server.drain(),
      expect(listening).to.eventually.be.rejected().with.property('name', 'AbortError')
    ])
    expect(server).to.include({ state: 'idle' }).and.have.property('addresses').that.is.empty()

    await server.listen()
    expect(server.addresses).to.have.lengthOf(2)
  })

  for (const [limit, value] of [
    ['messageTimeout', Infinity],
    ['messageTimeout', 2 ** 31],
    ['keepAliveDelay', Infinity],
    ['maxMessageLength', 19]
  ] as const) {
    it(`rejects a ${limit} of ${value}`, () => {
      expect(() => createSTUNServer({ [limit]: value }))
        .to.throw(new RegExp(`^${limit} must be .*, not ${value}$`))
        .with.property('name', 'InvalidParametersError')
    })
  }

  for (const limit of [
    'maxConnections',
    'maxConnectionsPerAddress',
    'maxMessageLength',
    'messageTimeout',
    'maxRequestsPerSecond',
    'keepAliveDelay'
  ]) {
    it(`rejects an invalid ${limit}`, () => {
      for (const value of [0, -1, NaN, '5']) {
        expect(() => createSTUNServer({ [limit]: value }))
          .to.throw(limit)
          .with.property('name', 'InvalidParametersError')
      }
    })
  }

  it('rejects TLS without a certificate', () => {
    expect(() => createSTUNServer({ tls: {} })).to.throw('cert')
  })
})
