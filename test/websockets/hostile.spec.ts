import { once } from 'node:events'
import net from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
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
 * A connection that sends each byte by itself
 */
class ByteByByte extends Duplex {
  private readonly socket: net.Socket

  constructor (port: number) {
    super()
    this.socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
    this.socket.on('data', chunk => { this.push(chunk) })
    this.socket.on('close', () => { this.push(null) })
  }

  override _read (): void {}

  override _write (chunk: Buffer, _: string, done: () => void): void {
    chunk.forEach(byte => { this.socket.write(Buffer.of(byte)) })
    done()
  }

  override _destroy (err: Error | null, done: (err: Error | null) => void): void {
    this.socket.destroy()
    done(err)
  }
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
    {
      name: 'a header that goes on in the next line',
      request: head('GET / HTTP/1.1', 'Host: 127.0.0.1', 'X: a', ' b'),
      status: 400
    },
    { name: 'lines that end with LF alone', request: 'GET / HTTP/1.1\nHost: 127.0.0.1\n\n', status: 400 },
    {
      name: 'a length that is none',
      request: head('POST / HTTP/1.1', 'Host: 127.0.0.1', 'Content-Length: +5') + 'abcde',
      status: 400
    },
    { name: 'a Host with a user name', request: head('GET / HTTP/1.1', 'Host: evil.example@127.0.0.1'), status: 421 },
    {
      name: 'an upgrade without a version',
      request: head(...UPGRADE_LINES.filter(line => !line.includes('Version'))),
      status: 400
    },
    { name: 'an upgrade to two protocols', request: head(...UPGRADE_LINES, 'Upgrade: h2c'), status: 400 },
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

  it('takes what follows an upgrade for frames, not for a request', async () => {
    const { port, connections } = await open()
    const { text } = await answerTo(port, head(...UPGRADE_LINES) + head('GET /smuggled HTTP/1.1', 'Host: 127.0.0.1'))

    expect(text).to.match(/^HTTP\/1\.1 101 /)
    expect(requests).to.be.empty()
    expect(connections.map(({ status }) => status)).to.deep.equal(['aborted'])
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

  it('takes a TLS handshake that comes byte by byte, and refuses TLS 1.0', async () => {
    const certificate = closeLater(createCertificate())
    const { port } = await open({ certificate: { key: certificate.key, cert: certificate.cert } })
    const slow = new ByteByByte(port)
    const secure = tls.connect({ socket: slow, ca: certificate.cert, servername: 'localhost' })
    closeLater({ close: () => { secure.destroy() } })
    await pEvent(secure, 'secureConnect', EVENT)

    const old = tls.connect({
      port,
      host: '127.0.0.1',
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1',
      ciphers: 'ALL@SECLEVEL=0',
      rejectUnauthorized: false
    })
    closeLater({ close: () => { old.destroy() } })
    const refusal = await pEvent(old, 'error', { ...EVENT, rejectionEvents: [] })

    expect((refusal as any).code).to.equal('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
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
