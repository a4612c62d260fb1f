import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { expect } from 'aegir/chai'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { WebSocket } from 'ws'
import { DEFAULT_MAX_MESSAGE_SIZE } from '../../src/websockets/constants.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { recordingAddressManager } from '../fixtures/components.ts'
import { mapsTo } from '../fixtures/stun-servers.ts'
import { connectTo, openPort } from './open-port.ts'
import type { OpenPort, OpenPortInit } from './open-port.ts'
import type { Certificate } from '../fixtures/certificate.ts'
import type { Libp2pEvents, MultiaddrConnection } from '@libp2p/interface'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

const EVENT = { timeout: 10_000 }
const MULTISTREAM = '\x13/multistream/1.0.0\n'
const BINDING = Buffer.from('000100002112a4420102030405060708090a0b0c', 'hex')

describe('a port that is shared', () => {
  const { closeLater } = closesAfterEach()
  let certificate: Certificate

  before(() => { certificate = createCertificate() })
  after(() => { certificate.remove() })

  async function open (init?: OpenPortInit): Promise<OpenPort> {
    return closeLater(await openPort(init))
  }

  async function webSocket (url: string, options = {}): Promise<WebSocket> {
    const socket = new WebSocket(url, { rejectUnauthorized: false, ...options })
    closeLater({ close: () => { socket.terminate() } })
    await pEvent(socket as any, 'open', EVENT)

    return socket
  }

  async function receive (maConn: MultiaddrConnection, length: number): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    let received = 0

    while (received < length) {
      const { data } = await pEvent<'message', MessageEvent>(maConn as any, 'message', EVENT)
      chunks.push(data.subarray())
      received += data.byteLength
    }

    return Buffer.concat(chunks)
  }

  describe('by libp2p over TCP', () => {
    it('loses nothing of what is sent at once', async () => {
      const { port, next } = await open()
      const data = Buffer.concat([Buffer.from(MULTISTREAM), randomBytes(300_000)])
      closeLater(await connectTo(port, data))
      const maConn = await next()

      expect(Buffer.compare(await receive(maConn, data.byteLength), data)).to.equal(0)
      expect(maConn.remoteAddr.toString()).to.match(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
      expect(maConn).to.have.property('direction', 'inbound')
    })

    it('loses nothing of what is sent byte by byte', async () => {
      const { port, next } = await open({ webSockets: { onSTUN: () => {} } })
      // begins like STUN
      const bytes = Buffer.from('0001000021ffff', 'hex')
      const { socket } = closeLater(await connectTo(port))

      for (const byte of bytes) {
        socket.write(Uint8Array.of(byte))
        await new Promise(resolve => setImmediate(resolve))
      }

      expect((await receive(await next(), bytes.byteLength)).equals(bytes)).to.equal(true)
    })

    it('sends data back', async () => {
      const { port, next } = await open()
      const client = closeLater(await connectTo(port, MULTISTREAM))
      const maConn = await next()
      maConn.send(Buffer.from('answer'))
      const [chunk] = await once(client.socket, 'data')

      expect(chunk.toString()).to.equal('answer')
    })
  })

  for (const { scheme, form, options } of [
    { scheme: 'ws', form: 'ws', options: () => true },
    {
      scheme: 'wss',
      form: 'tls/ws',
      options: () => ({ certificate: { key: certificate.key, cert: certificate.cert } })
    }
  ]) {
    describe(`by ${scheme}`, () => {
      it('carries bytes in both directions', async () => {
        const { port, next } = await open({ webSockets: options() })
        const socket = await webSocket(`${scheme}://127.0.0.1:${port}`)
        const maConn = await next()
        const data = randomBytes(200_000)
        socket.send(data)

        expect((await receive(maConn, data.byteLength)).equals(data)).to.equal(true)
        expect(maConn.remoteAddr.toString()).to.match(new RegExp(`^/ip4/127.0.0.1/tcp/\\d+/${form}$`))

        maConn.send(data)
        const received: Buffer[] = []

        while (Buffer.concat(received).byteLength < data.byteLength) {
          const [chunk] = await once(socket, 'message')
          received.push(chunk)
        }

        expect(Buffer.concat(received).equals(data)).to.equal(true)
      })

      it('closes with the code 1000, and sees the peer do so', async () => {
        const { port, next } = await open({ webSockets: options() })

        for (const closer of ['node', 'peer']) {
          const socket = await webSocket(`${scheme}://127.0.0.1:${port}`)
          const maConn = await next()
          const closed = once(socket, 'close')
          const ended = pEvent(maConn, 'close', EVENT)

          if (closer === 'node') {
            await maConn.close()
          } else {
            socket.close(1000)
          }

          expect((await closed)[0], closer).to.equal(1000)
          expect(await ended).to.have.property('error', undefined)
          expect(maConn.status).to.equal('closed')
        }
      })

      it('delivers everything that was sent before it is closed', async () => {
        const { port, next } = await open({ webSockets: options() })
        const socket = await webSocket(`${scheme}://127.0.0.1:${port}`)
        const maConn = await next()
        let length = 0
        socket.on('message', (data: Buffer) => { length += data.byteLength })
        const closed = pEvent(socket as any, 'close', EVENT)
        maConn.send(new Uint8Array(3_000_000))
        await maConn.close()
        await closed

        expect(length).to.equal(3_000_000)
      })

      it('sees a peer that is gone as a reset', async () => {
        const { port, next } = await open({ webSockets: options() })
        const socket = await webSocket(`${scheme}://127.0.0.1:${port}`)
        const maConn = await next()
        const closed = pEvent(maConn, 'close', EVENT)
        socket.terminate()
        await closed

        expect(maConn.status).to.equal('reset')
      })
    })
  }

  it('has back-pressure towards a browser that does not read', async () => {
    const { port, next } = await open()
    const socket = await webSocket(`ws://127.0.0.1:${port}`)
    const maConn = await next()
    socket.pause()
    let sent = 0

    while (maConn.send(new Uint8Array(65_536)) && sent < 1_000) {
      sent++
    }

    expect(sent).to.be.lessThan(1_000)
    const drained = pEvent(maConn, 'drain', EVENT)
    socket.resume()
    await drained
  })

  describe('and its addresses', () => {
    it('are plain ones, and by ws; a local one is the last', async () => {
      const server = closeLater(await mapsTo('11.0.0.1', 4001))
      const { port, addrs } = await open({ init: { stunServers: [server.uri] } })

      expect(addrs()).to.deep.equal([
        '/ip4/11.0.0.1/tcp/4001',
        '/ip4/11.0.0.1/tcp/4001/ws',
        `/ip4/127.0.0.1/tcp/${port}`,
        `/ip4/127.0.0.1/tcp/${port}/ws`
      ])
    })

    it('are also by wss as soon as AutoTLS has a certificate', async () => {
      const events = new TypedEventEmitter<Libp2pEvents>()
      const { port, listener, addrs } = await open({ overrides: { events } })
      const listening = pEvent(listener, 'listening', EVENT)
      expect(addrs()).to.not.include(`/ip4/127.0.0.1/tcp/${port}/tls/ws`)

      const { key, cert } = certificate
      events.dispatchEvent(new CustomEvent('certificate:provision', { detail: { key, cert } }))
      await listening

      expect(addrs()).to.include(`/ip4/127.0.0.1/tcp/${port}/tls/ws`)
      await webSocket(`wss://127.0.0.1:${port}`)
    })

    it('are told to libp2p once: it confirms a port, whatever is spoken on it', async () => {
      const server = closeLater(await mapsTo('11.0.0.1', 4001))
      const addressManager = recordingAddressManager()
      await open({ init: { stunServers: [server.uri] }, overrides: { addressManager } })

      expect(addressManager.calls).to.deep.equal(['confirm /ip4/11.0.0.1/tcp/4001 600000'])
    })

    it('are plain ones only on a Unix socket', async () => {
      const path = `/tmp/libp2p-tcp-stun-${process.pid}.sock`
      const { addrs } = await open({ address: `/unix/${encodeURIComponent(path)}` })

      expect(addrs()).to.have.lengthOf(1)
      expect(addrs()[0]).to.match(/\.sock$/)
    })
  })

  describe('by HTTP', () => {
    it('is answered by the application', async () => {
      const { port } = await open({
        webSockets: {
          certificate: { key: certificate.key, cert: certificate.cert },
          onRequest: ({ url, headers }, response) => { response.end(`${url} of ${headers.host}`) }
        }
      })

      for (const { get, url } of [
        { get: http.get, url: `http://127.0.0.1:${port}/status` },
        { get: https.get, url: `https://localhost:${port}/status` }
      ]) {
        const [response] = await once(get(url, { rejectUnauthorized: false } as any), 'response') as [IncomingMessage]
        const body = (await response.toArray()).join('')

        expect(response.statusCode).to.equal(200)
        expect(body).to.equal(`/status of ${new URL(url).host}`)
      }
    })

    it('sends a long answer while the application has more', async () => {
      const { port } = await open({
        webSockets: {
          onRequest: (request, response) => {
            response.writeHead(200, { 'Content-Type': 'text/event-stream' })
            response.write('data: 1\n\n')
            request.socket.once('close', () => { response.end() })
          }
        }
      })
      const request = http.get(`http://127.0.0.1:${port}/events`)
      const [response] = await once(request, 'response')
      const [chunk] = await once(response, 'data')
      request.destroy()

      expect(chunk.toString()).to.equal('data: 1\n\n')
    })

    it('says that an upgrade is needed where there is no application', async () => {
      const { port } = await open()
      const response = await fetch(`http://127.0.0.1:${port}/`)

      expect(response.status).to.equal(426)
      expect(response.headers.get('upgrade')).to.equal('websocket')
      expect(response.headers.get('connection')).to.equal('close')
    })
  })

  it('gives STUN connections to a STUN server, with their first message unread', async () => {
    const taken = Promise.withResolvers<Socket>()
    const { port } = await open({ webSockets: { onSTUN: socket => { taken.resolve(socket) } } })
    closeLater(await connectTo(port, BINDING))
    const socket = await taken.promise
    const data = once(socket, 'data')
    socket.resume()
    const [chunk] = await data

    expect(BINDING.equals(chunk)).to.equal(true)
  })

  it('accepts messages up to the limit', async () => {
    const { port, next } = await open()
    const socket = await webSocket(`ws://127.0.0.1:${port}`)
    const maConn = await next()
    socket.send(new Uint8Array(DEFAULT_MAX_MESSAGE_SIZE))

    expect(await receive(maConn, DEFAULT_MAX_MESSAGE_SIZE)).to.have.lengthOf(DEFAULT_MAX_MESSAGE_SIZE)
  })
})
