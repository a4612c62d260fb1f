import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { createSTUNServer } from '../../src/server/index.ts'
import { STUNClient } from '../../src/stun/client.ts'
import {
  STUNConnectionError, STUNErrorResponseError, STUNProtocolError, STUNTimeoutError
} from '../../src/stun/errors.ts'
import { createTransactionId, encodeMessage } from '../../src/stun/message.ts'
import { openClient } from '../../src/stun/open-client.ts'
import { parseSTUNURI } from '../../src/stun/uri.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { zoneDNS } from '../fixtures/dns.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { HOSTILE, failure, fakeServer, mapped, mapsTo, stunServer, success } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { STUNServer } from '../../src/server/index.ts'
import type { STUNMessage } from '../../src/stun/message.ts'
import type { FakeServer } from '../fixtures/stun-servers.ts'

describe('STUN client', () => {
  const { closing, closeLater } = closesAfterEach()

  async function realServer (host = '127.0.0.1'): Promise<{ server: STUNServer, host: string, port: number }> {
    const server = closeLater(createSTUNServer({ listen: [{ host, port: 0 }] }))
    await server.listen()

    return { server, host, port: server.addresses[0].port }
  }

  it('names the missing reusePort of the socket that has the local port', async () => {
    const listener = net.createServer().listen({ host: '127.0.0.1', port: 0 })
    closing.push(listener)
    await pEvent(listener, 'listening')
    const { port } = listener.address() as net.AddressInfo
    const { server } = await realServer()
    const client = closeLater(new STUNClient({ server: server.addresses[0], local: { host: '127.0.0.1', port } }))
    const err: any = await client.connect().catch(err => err)

    expect(err).to.be.an.instanceOf(STUNConnectionError)
    expect(err.message).to.include(`local port ${port}`).and.to.include('reusePort: true')
    expect(err.message).to.not.include(String(server.addresses[0].port))
    expect(err.cause).to.have.property('code', 'EADDRINUSE')
  })

  for (const host of ['127.0.0.1', '::1']) {
    it(`learns the address of a shared local port at ${host}`, async () => {
      const server = await realServer(host)
      const bound = bindSocket({ host, port: 0, ipv6Only: host === '::1' })
      const listener = net.createServer()
      closing.push(listener)
      const listening = pEvent(listener, 'listening', { timeout: 5_000 })
      bound.listen(listener)
      await listening

      const client = closeLater(new STUNClient({ server, local: { host, port: bound.port } }))
      await client.connect()
      const result = await client.request()

      expect(result.mapped).to.deep.equal({ host, port: bound.port })
      expect(result.local).to.deep.equal({ host, port: bound.port })
      expect(result.responseOrigin).to.deep.equal({ host, port: server.port })
      expect(result.software).to.equal('libp2p-tcp-stun')
      expect(result.rewritten).to.be.undefined()
    })
  }

  it('asks again on the same connection, also many times at once', async () => {
    const { server, ...endpoint } = await realServer()
    const client = closeLater(new STUNClient({ server: endpoint }))
    await client.connect()
    const results = await Promise.all(Array.from({ length: 20 }, async () => client.request()))

    expect(new Set(results.map(({ mapped }) => mapped.port)).size).to.equal(1)
    expect(server.counters).to.include({ accepted: 1, bindings: 20 })
  })

  it('understands a server of RFC 3489, and notices an ALG', async () => {
    const old = closeLater(await stunServer(() => [{ type: 'MAPPED-ADDRESS', address: { host: '11.0.0.1', port: 1 } }]))
    const { client, result } = await openClient(parseSTUNURI(old.uri), { local: { host: '127.0.0.1', port: 0 } })
    closing.push(client)
    expect(result).to.have.deep.property('mapped', { host: '11.0.0.1', port: 1 })

    const alg = closeLater(
      await stunServer(() => [
        ...mapped('11.0.0.1', 2),
        { type: 'MAPPED-ADDRESS', address: { host: '192.168.1.2', port: 3 } }
      ])
    )
    const rewritten = await openClient(parseSTUNURI(alg.uri), { local: { host: '127.0.0.1', port: 0 } })
    closing.push(rewritten.client)
    expect(rewritten.result).to.have.deep.property('mapped', { host: '11.0.0.1', port: 2 })
    expect(rewritten.result).to.have.deep.property('rewritten', { host: '192.168.1.2', port: 3 })
  })

  it('takes the answer byte by byte', async () => {
    const server = closeLater(await stunServer((request, socket) => {
      socket.setNoDelay(true)
      success(request, mapped('11.0.0.1', 4001)).forEach(byte => { socket.write(Uint8Array.of(byte)) })
      return undefined
    }))
    const { client, result } = await openClient(parseSTUNURI(server.uri), { local: { host: '127.0.0.1', port: 0 } })
    closing.push(client)

    expect(result.mapped.host).to.equal('11.0.0.1')
  })

  it('follows ALTERNATE-SERVER', async () => {
    const target = closeLater(await mapsTo('11.0.0.1', 4001))
    const server = closeLater(
      await stunServer(request =>
        failure(request, 300, 'Try Alternate', [{ type: 'ALTERNATE-SERVER', address: target }])
      )
    )
    const { client, result } = await openClient(parseSTUNURI(server.uri), { local: { host: '127.0.0.1', port: 0 } })
    closing.push(client)

    expect(result.mapped.host).to.equal('11.0.0.1')
    expect(client.server).to.have.property('port', target.port)
    expect(server.sockets).to.be.empty()
  })

  it('does not follow ALTERNATE-SERVER in a circle', async () => {
    const servers: FakeServer[] = []

    for (let i = 0; i < 6; i++) {
      servers.push(
        closeLater(
          await stunServer(request =>
            failure(request, 300, 'Try Alternate', [{ type: 'ALTERNATE-SERVER', address: servers[(i + 1) % 6] }])
          )
        )
      )
    }

    await expect(openClient(parseSTUNURI(servers[0].uri), { local: { host: '127.0.0.1', port: 0 } }))
      .to.eventually.be.rejected()
      .with.property('name', 'STUNAlternateServerError')
    expect(servers.reduce((sum, { accepted }) => sum + accepted, 0)).to.be.at.most(4)
  })

  it('tries the next address of a name', async () => {
    const server = closeLater(await mapsTo('11.0.0.1', 4001))
    const dns = zoneDNS({ a: { 'stun.example': ['127.0.0.9', '127.0.0.1'] } })
    const { client } = await openClient(parseSTUNURI(`stun:stun.example:${server.port}`), {
      local: { host: '127.0.0.1', port: 0 },
      dns
    })
    closing.push(client)

    expect(client.server.host).to.equal('127.0.0.1')
  })

  for (const [title, { error, create }] of Object.entries(HOSTILE)) {
    // the client does not judge mapped addresses
    if (error === 'InvalidMappedAddressError') {
      continue
    }

    it(`a server that ${title}: ${error}`, async () => {
      const server = closeLater(await create())

      await expect(openClient(parseSTUNURI(server.uri), { local: { host: '127.0.0.1', port: 0 }, timeout: 200 }))
        .to.eventually.be.rejected()
        .with.property('name', error)
    })
  }

  for (const [banner, description] of Object.entries({
    'HTTP/1.1 400 Bad Request\r\n\r\n': 'it answers in HTTP',
    'SSH-2.0-OpenSSH_9.6\r\n': 'it is an SSH server',
    '220 mail.example.org ESMTP\r\n': 'it is a mail or FTP server',
    '\x15\x03\x01\x00\x02\x02\x46': 'it answers with a TLS alert, so the URI may have to begin with stuns:',
    '* OK IMAP4rev1 ready\r\n': 'a length of 20299 bytes, not a multiple of 4'
  })) {
    it(`names what speaks in place of a STUN server: ${JSON.stringify(banner.slice(0, 4))}`, async () => {
      const server = closeLater(await fakeServer(socket => { socket.write(banner, 'latin1') }))
      const client = closeLater(new STUNClient({ server }))
      await client.connect()

      await expect(client.request()).to.eventually.be.rejectedWith(`does not speak STUN: ${description}`)
        .with.property('name', 'STUNProtocolError')
    })
  }

  it('names a server that does not speak TLS, and a certificate that it does not trust', async () => {
    const plain = closeLater(await fakeServer(socket => { socket.write('SSH-2.0-OpenSSH_9.6\r\n') }))
    await expect(new STUNClient({ server: plain, tls: {} }).connect())
      .to.eventually.be.rejectedWith('does not speak TLS: the URI may have to begin with stun:')
      .with.property('name', 'STUNProtocolError')

    const listen = [{ host: '127.0.0.1', port: 0 }]
    const secure = closeLater(createSTUNServer({ listen: [], tls: { ...closeLater(createCertificate()), listen } }))
    await secure.listen()
    await expect(new STUNClient({ server: secure.addresses[0], tls: {} }).connect())
      .to.eventually.be.rejectedWith('is not trusted: DEPTH_ZERO_SELF_SIGNED_CERT')
      .with.property('name', 'STUNCertificateError')
  })

  it('has the code and the reason of an error response', async () => {
    const server = closeLater(await stunServer(request => failure(request, 420, 'Unknown Attribute')))
    const err: any = await openClient(parseSTUNURI(server.uri), { local: { host: '127.0.0.1', port: 0 } }).catch(
      err => err
    )

    expect(err).to.be.an.instanceOf(STUNErrorResponseError)
    expect(err).to.include({ code: 420, reason: 'Unknown Attribute' })
    expect(err.message).to.include(`${server.port}`)
  })

  it('has the cause of a failed connection', async () => {
    const server = await fakeServer(() => {})
    await server.close()
    const err: any = await new STUNClient({ server }).connect().catch(err => err)

    expect(err).to.be.an.instanceOf(STUNConnectionError)
    expect(err.cause.code).to.equal('ECONNREFUSED')
    expect(err.message).to.include('ECONNREFUSED')
  })

  it('waits no longer than its timeout, on the clock it is given', async () => {
    const clock = new HeldClock()
    const server = closeLater(await fakeServer(() => {}))
    const client = closeLater(new STUNClient({ server, clock, timeout: 39_500 }))
    await client.connect()
    const request = client.request()
    clock.advance(39_499)
    expect(clock.pending).to.equal(1)
    clock.advance(1)

    await expect(request).to.eventually.be.rejectedWith(STUNTimeoutError)
    expect(clock.pending).to.equal(0)
  })

  it('forgives an answer that comes too late', async () => {
    const late: Array<() => void> = []
    const server = closeLater(await stunServer((request, socket) => {
      late.push(() => { socket.write(success(request, mapped('11.0.0.1', 4001))) })
      return undefined
    }))
    const client = closeLater(new STUNClient({ server }))
    await client.connect()
    const controller = new AbortController()
    const first = client.request({ signal: controller.signal })
    controller.abort()
    await expect(first).to.eventually.be.rejected().with.property('name', 'AbortError')

    const second = client.request()

    await waitUntil('both requests have come', () => late.length === 2)

    late.forEach(send => { send() })
    expect((await second).mapped.port).to.equal(4001)
  })

  it('says when the server hangs up, and fails what waits', async () => {
    const server = closeLater(await fakeServer(socket => { socket.once('data', () => { socket.resetAndDestroy() }) }))
    const client = new STUNClient({ server })
    await client.connect()
    const closed = pEvent(client, 'close', { timeout: 5_000 })

    await expect(client.request()).to.eventually.be.rejectedWith(STUNConnectionError)
    await closed
    expect(client.endReason).to.be.an.instanceOf(STUNConnectionError)
    await expect(client.request()).to.eventually.be.rejectedWith(STUNConnectionError)
  })

  it('refuses an answer that it does not understand, but not one of RFC 3489', async () => {
    const server = closeLater(
      await stunServer(() => [...mapped('11.0.0.1', 1), { type: 'UNKNOWN', code: 0x7ff0, value: new Uint8Array(4) }])
    )
    await expect(openClient(parseSTUNURI(server.uri), { local: { host: '127.0.0.1', port: 0 } }))
      .to.eventually.be.rejected()
      .with.property('name', 'STUNProtocolError')

    const old = closeLater(
      await stunServer(() => [...mapped('11.0.0.1', 1), { type: 'UNKNOWN', code: 0x0005, value: new Uint8Array(8) }])
    )
    closing.push((await openClient(parseSTUNURI(old.uri), { local: { host: '127.0.0.1', port: 0 } })).client)
  })

  it('stays closed when it is closed while it connects', async () => {
    const server = closeLater(await fakeServer(() => {}))

    for (const tls of [undefined, {}]) {
      const client = new STUNClient({ server, tls, clock: new HeldClock() })
      const connecting = client.connect()
      client.close()
      await expect(connecting).to.eventually.be.rejectedWith(STUNConnectionError)
      expect(client.endReason).to.be.an.instanceOf(STUNConnectionError)
    }
  })

  it('fails cleanly on options that TLS does not take, and on any reason to abort', async () => {
    const server = closeLater(await fakeServer(() => {}))
    await expect(new STUNClient({ server, tls: { cert: 'garbage' } }).connect()).to.eventually.be.rejectedWith(
      STUNConnectionError
    )
    expect(server.accepted).to.equal(0)

    const controller = new AbortController()
    const client = new STUNClient({ server })
    const connecting = client.connect({ signal: controller.signal })
    controller.abort('enough')
    expect(await connecting.catch(reason => reason)).to.equal('enough')
    expect(client.endReason).to.have.property('name', 'AbortError')
  })

  it('gives up a server that leaves many requests open', async () => {
    const server = closeLater(await fakeServer(() => {}))
    const client = new STUNClient({ server })
    await client.connect()

    for (let i = 0; i < 17; i++) {
      const controller = new AbortController()
      const request = client.request({ signal: controller.signal })
      controller.abort()
      await expect(request).to.eventually.be.rejected()
    }

    expect(client.endReason).to.be.an.instanceOf(STUNTimeoutError)
  })

  for (const [title, flood] of [
    ['indications', (request: STUNMessage) => encodeMessage({ ...request, class: 'indication', attributes: [] })],
    ['its answer', (request: STUNMessage) => success(request, mapped('11.0.0.1', 4001))],
    [
      'answers to nothing',
      (request: STUNMessage) => success({ ...request, transactionId: createTransactionId() }, mapped('11.0.0.1', 4001))
    ]
  ] as const) {
    it(`ends the connection to a server that repeats ${title} without end after its answer`, async () => {
      const server = closeLater(
        await stunServer((request, socket) => {
          const more = Buffer.concat(Array.from({ length: 1_000 }, () => flood(request)))
          const send = (): void => {
            while (!socket.destroyed && socket.write(more)) {
              // until the client's window is full
            }
          }
          socket.write(success(request, mapped('11.0.0.1', 4001)))
          socket.on('drain', send)
          send()

          return undefined
        })
      )
      const client = closeLater(new STUNClient({ server }))
      await client.connect()
      const closed = pEvent<'close', CustomEvent<Error>>(client, 'close', { timeout: 5_000 })
      const {
        mapped: { port }
      } = await client.request()
      expect(port).to.equal(4001)
      const { detail } = await closed
      expect(detail).to.be.an.instanceOf(STUNProtocolError)
      expect(detail.message).to.match(/^STUN server 127\.0\.0\.1:\d+ sent /)
      await waitUntil('the server sees the end', () => server.sockets.size === 0)
    })
  }

  it('takes a few indications between two answers', async () => {
    const server = closeLater(await stunServer((request, socket) => {
      for (let i = 0; i < 16; i++) {
        socket.write(encodeMessage({ ...request, class: 'indication', attributes: [] }))
      }

      return mapped('11.0.0.1', 4001)
    }))
    const client = closeLater(new STUNClient({ server }))
    await client.connect()

    for (let i = 0; i < 5; i++) {
      await client.request()
    }

    expect(client.endReason).to.equal(undefined)
  })

  it('can be aborted while it connects and while it asks, and leaves nothing', async () => {
    const server = closeLater(await fakeServer(() => {}))
    const connecting = new AbortController()
    const first = new STUNClient({ server }).connect({ signal: connecting.signal })
    connecting.abort()
    await expect(first).to.eventually.be.rejected().with.property('name', 'AbortError')

    await expect(new STUNClient({ server }).connect({ signal: AbortSignal.abort() }))
      .to.eventually.be.rejected()
      .with.property('name', 'AbortError')

    const client = new STUNClient({ server })
    await client.connect()
    const asking = new AbortController()
    const second = client.request({ signal: asking.signal })
    asking.abort()
    await expect(second).to.eventually.be.rejected().with.property('name', 'AbortError')
    client.close()
    await expect(client.request()).to.eventually.be.rejectedWith(STUNConnectionError)
  })
})
