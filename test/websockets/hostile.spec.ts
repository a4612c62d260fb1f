import { once } from 'node:events'
import { deflateRawSync } from 'node:zlib'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { createCertificate } from '../fixtures/certificate.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { connectTo, openPort } from './open-port.ts'
import { UPGRADE_LINES } from './upgrade.ts'
import type { OpenPort } from './open-port.ts'
import type { WebSocketsOptions } from '../../src/index.ts'

const EVENT = { timeout: 10_000 }

function head (...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`
}

/**
 * A frame of a client (RFC 6455, section 5.2), masked with zeros
 */
function frame (first: number, payload: Uint8Array, claimed = payload.byteLength): Buffer {
  const header = Buffer.alloc(14)
  header[0] = first
  header[1] = 0x80 | 127
  header.writeBigUInt64BE(BigInt(claimed), 2)

  return Buffer.concat([header, payload])
}

describe('hostile clients of a shared port', () => {
  const { closeLater } = closesAfterEach()
  const requests: string[] = []

  async function open (options: WebSocketsOptions = {}): Promise<OpenPort> {
    requests.splice(0)

    return closeLater(await openPort({
      webSockets: {
        onRequest: (request, response) => {
          requests.push(`${request.method} ${request.url}`)
          response.end('page')
        },
        ...options
      }
    }))
  }

  /**
   * What a connection receives until the port ends it
   */
  async function answerTo (
    port: number,
    bytes: string | Uint8Array
  ): Promise<{ text: string, bytes: Buffer, how: string }> {
    return closeLater(await connectTo(port, bytes)).closed
  }

  async function openWebSocket (port: number): Promise<{ send(bytes: Uint8Array): void, closed: Promise<Buffer> }> {
    const client = closeLater(await connectTo(port, head(...UPGRADE_LINES)))
    await once(client.socket, 'data')

    return {
      send: bytes => { client.socket.write(bytes) },
      closed: client.closed.then(({ bytes }) => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4))
    }
  }

  for (const { name, request, status } of [
    { name: 'a request line that is none', request: 'GET\0\0\0\r\n\r\n', status: 400 },
    { name: 'a header without a colon', request: head('GET / HTTP/1.1', 'Host: 127.0.0.1', 'nonsense'), status: 400 },
    { name: 'no Host', request: head('GET / HTTP/1.1'), status: 400 },
    { name: 'the preface of HTTP/2', request: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 400 },
    {
      name: 'a head of 9 kB',
      request: head('GET / HTTP/1.1', 'Host: 127.0.0.1', `X: ${'a'.repeat(9_000)}`),
      status: 431
    },
    {
      name: 'two lengths (request smuggling)',
      request: head('POST / HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: 5', 'Transfer-Encoding: chunked') +
        '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
      status: 400
    },
    {
      name: 'different lengths (request smuggling)',
      request: head('POST / HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: 5', 'Content-Length: 6') + 'abcdef',
      status: 400
    },
    {
      name: 'a name that a page has pointed here (DNS rebinding)',
      request: head('GET / HTTP/1.1', 'Host: evil.example:4001'),
      status: 421
    },
    {
      name: 'an upgrade to h2c',
      request: head('GET / HTTP/1.1', 'Host: 127.0.0.1', 'Connection: Upgrade', 'Upgrade: h2c'),
      status: 400
    },
    { name: 'an upgrade by POST', request: head(UPGRADE_LINES.join('\r\n').replace('GET', 'POST')), status: 405 },
    {
      name: 'an upgrade to a WebSocket of version 12',
      request: head(UPGRADE_LINES.join('\r\n').replace('13', '12')),
      status: 400
    },
    { name: 'an upgrade without a key', request: head(...UPGRADE_LINES.slice(0, -1)), status: 400 },
    {
      name: 'an upgrade with a key of another length',
      request: head(...UPGRADE_LINES.slice(0, -1), 'Sec-WebSocket-Key: YQ=='),
      status: 400
    }
  ]) {
    it(`answers ${name} with ${status}, and ends the connection`, async () => {
      const { port, connections } = await open()
      const { text } = await answerTo(port, request)

      expect(text).to.match(new RegExp(`^HTTP/1\\.1 ${status} `))
      expect(text.match(/HTTP\/1\.1 \d+ /g)).to.have.lengthOf(1)
      expect(requests).to.be.empty()
      expect(connections).to.be.empty()
    })
  }

  it('closes the connection of a CONNECT, and opens no tunnel', async () => {
    const { port } = await open()

    expect((await answerTo(port, head('CONNECT 192.0.2.1:80 HTTP/1.1', 'Host: 192.0.2.1'))).text).to.equal('')
    expect(requests).to.be.empty()
  })

  it('reads one request of a connection, also when several are sent at once', async () => {
    const { port } = await open()
    const get = (url: string): string => head(`GET ${url} HTTP/1.1`, 'Host: 127.0.0.1')
    const { text } = await answerTo(port, get('/1') + get('/2') + get('/3'))

    expect(requests).to.deep.equal(['GET /1'])
    expect(text.match(/HTTP\/1\.1 \d+ /g)).to.deep.equal(['HTTP/1.1 200 '])
  })

  it('reads nothing behind a body whose length is obscured (request smuggling)', async () => {
    const { port } = await open()
    const smuggled = head('GET /smuggled HTTP/1.1', 'Host: 127.0.0.1')
    const request = head('POST / HTTP/1.1', 'Host: 127.0.0.1', 'Transfer-Encoding: xchunked') + `0\r\n\r\n${smuggled}`
    await answerTo(port, request)

    expect(requests).to.not.include('GET /smuggled')
  })

  it('lets no page of a foreign origin connect where origins are named', async () => {
    const { port, next, connections } = await open({ origins: ['https://app.example.org'] })
    const refused = await answerTo(port, head(...UPGRADE_LINES, 'Origin: https://evil.example'))

    expect(refused.text).to.match(/^HTTP\/1\.1 403 /)
    expect(connections).to.be.empty()

    for (const origin of [['Origin: https://app.example.org'], []]) {
      closeLater(await connectTo(port, head(...UPGRADE_LINES, ...origin)))
      await next()
    }
  })

  it('admits the names of the certificate and those that the application has', async () => {
    const certificate = closeLater(createCertificate())
    const { port } = await open({ certificate, hosts: ['home.example'] } as any)

    for (const host of ['localhost', '127.0.0.1:80', '[::1]:4001', 'home.example', 'HOME.example:80']) {
      expect((await answerTo(port, head('GET / HTTP/1.1', `Host: ${host}`))).text, host).to.match(/^HTTP\/1\.1 200 /)
    }

    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '']) {
      expect((await answerTo(port, head('GET / HTTP/1.1', `Host: ${host}`))).text, host).to.match(/^HTTP\/1\.1 421 /)
    }
  })

  for (const { name, bytes, code } of [
    { name: 'a frame of 1 GiB', bytes: frame(0x82, new Uint8Array(10), 2 ** 30), code: 1009 },
    { name: 'a frame of 2^63 bytes', bytes: Buffer.from('82ff8000000000000000' + '00000000', 'hex'), code: 1009 },
    { name: 'a text message', bytes: frame(0x81, Buffer.from('hello')), code: 1003 },
    { name: 'a text message that is not UTF-8', bytes: frame(0x81, Buffer.from('ff', 'hex')), code: 1007 },
    { name: 'a compressed message', bytes: frame(0xc2, deflateRawSync(Buffer.alloc(100_000_000))), code: 1002 },
    { name: 'a frame without a mask', bytes: Buffer.from('820161', 'hex'), code: 1002 },
    { name: 'a reserved opcode', bytes: frame(0x83, new Uint8Array(1)), code: 1002 },
    { name: 'a ping of 126 bytes', bytes: frame(0x89, new Uint8Array(126)), code: 1002 }
  ]) {
    it(`closes a WebSocket with ${code} for ${name}`, async () => {
      const { port, next } = await open()
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
    const { port, next } = await open({ maxMessageSize: 1_000 })
    const client = await openWebSocket(port)
    const maConn = await next()
    const ended = pEvent(maConn, 'close', EVENT)
    client.send(frame(0x02, new Uint8Array(600)))
    client.send(frame(0x00, new Uint8Array(600)))
    await ended

    expect((await client.closed).subarray(0, 4).toString('hex')).to.equal('880203f1')
  })

  it('offers no compression', async () => {
    const { port } = await open()
    const request = head(...UPGRADE_LINES, 'Sec-WebSocket-Extensions: permessage-deflate')
    const client = closeLater(await connectTo(port, request))
    const [answer] = await once(client.socket, 'data')

    expect(answer.toString()).to.match(/^HTTP\/1\.1 101 /)
    expect(answer.toString()).to.not.match(/extensions/i)
  })

  it('answers 500 when the application fails, and goes on', async () => {
    const { port } = await open({
      onRequest: async (request, response) => {
        if (request.url === '/late') {
          response.write('begun')
        }

        throw new Error('it fails')
      }
    })

    expect((await answerTo(port, head('GET / HTTP/1.1', 'Host: 127.0.0.1'))).text).to.match(/^HTTP\/1\.1 500 /)
    expect((await answerTo(port, head('GET /late HTTP/1.1', 'Host: 127.0.0.1'))).text).to.match(/^HTTP\/1\.1 200 /)
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).to.equal(500)
  })

  it('resets TLS where there is no certificate', async () => {
    const { port } = await open()

    expect(await answerTo(port, Buffer.from('16030100050100000100', 'hex'))).to.include({ text: '', how: 'ECONNRESET' })
  })

  it('ends TLS that is none, and goes on', async () => {
    const certificate = closeLater(createCertificate())
    const { port } = await open({ certificate: { key: certificate.key, cert: certificate.cert } })
    const { text } = await answerTo(port, Buffer.concat([Buffer.from('1603010005', 'hex'), Buffer.alloc(100, 0xff)]))

    // an alert, or nothing
    expect(text.slice(0, 1)).to.be.oneOf(['', '\x15'])
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).to.equal(200)
  })
})
