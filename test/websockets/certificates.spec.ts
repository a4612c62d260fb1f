import { copyFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { defaultLogger } from '@libp2p/logger'
import { expect } from 'aegir/chai'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { WebSocket } from 'ws'
import { AutoTLSCertificate } from '../../src/websockets/auto-tls.ts'
import { Certificates } from '../../src/websockets/certificates.ts'
import { FILE_CHECK_INTERVAL } from '../../src/websockets/constants.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { components } from '../fixtures/components.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { openPort } from './open-port.ts'
import type { Certificate } from '../fixtures/certificate.ts'
import type { Libp2pEvents } from '@libp2p/interface'

const EVENT = { timeout: 10_000 }

describe('the certificate of a shared port', () => {
  const { closeLater } = closesAfterEach()
  let first: Certificate
  let second: Certificate

  before(() => {
    first = createCertificate()
    second = createCertificate()
  })

  after(() => {
    first.remove()
    second.remove()
  })

  /**
   * The certificate that a new connection gets, in PEM without line breaks
   */
  async function certificateAt (port: number): Promise<string> {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await pEvent(socket, 'secureConnect', EVENT)
    const { raw } = socket.getPeerCertificate()
    socket.destroy()

    return raw.toString('base64')
  }

  function inOneLine (certificate: Certificate): string {
    return certificate.cert.replace(/-----[^-]+-----|\s/g, '')
  }

  async function openWebSocket (port: number): Promise<WebSocket> {
    const socket = new WebSocket(`wss://127.0.0.1:${port}`, { rejectUnauthorized: false })
    closeLater({ close: () => { socket.terminate() } })
    await pEvent(socket as any, 'open', EVENT)

    return socket
  }

  it('comes from the options', async () => {
    const { port } = closeLater(await openPort({ webSockets: { certificate: { key: first.key, cert: first.cert } } }))

    expect(await certificateAt(port)).to.equal(inOneLine(first))
  })

  it('comes from files', async () => {
    const { keyFile, certFile } = first
    const { port } = closeLater(await openPort({ webSockets: { certificate: { keyFile, certFile } } }))

    expect(await certificateAt(port)).to.equal(inOneLine(first))
  })

  it('comes from AutoTLS, and changes while connections live', async () => {
    const events = new TypedEventEmitter<Libp2pEvents>()
    const { port, next } = closeLater(await openPort({ overrides: { events } }))
    events.dispatchEvent(new CustomEvent('certificate:provision', { detail: first }))
    const socket = await openWebSocket(port)
    const maConn = await next()
    expect(await certificateAt(port)).to.equal(inOneLine(first))

    events.dispatchEvent(new CustomEvent('certificate:renew', { detail: second }))
    expect(await certificateAt(port)).to.equal(inOneLine(second))

    const message = pEvent(maConn, 'message', EVENT)
    socket.send(Buffer.from('still open'))
    expect(Buffer.from((await message as any).data.subarray()).toString()).to.equal('still open')
  })

  it('of AutoTLS is known to a listener that comes later', async () => {
    const events = new TypedEventEmitter<Libp2pEvents>()
    const autoTLS = new AutoTLSCertificate(components({ events }))
    events.dispatchEvent(new CustomEvent('certificate:provision', { detail: first }))
    let told = 0
    const certificates = closeLater(new Certificates({
      certificate: undefined,
      autoTLS,
      clock: new HeldClock(),
      log: defaultLogger().forComponent('test'),
      onFirst: () => { told++ }
    }))
    await certificates.open()

    expect(certificates.context).to.be.ok()
    expect(certificates.isFor('localhost')).to.equal(true)
    expect(certificates.isFor('evil.example')).to.equal(false)
    expect(told).to.equal(1)
  })

  it('of AutoTLS that is damaged leaves the former in use', async () => {
    const events = new TypedEventEmitter<Libp2pEvents>()
    const { port } = closeLater(await openPort({ overrides: { events } }))
    events.dispatchEvent(new CustomEvent('certificate:provision', { detail: first }))
    events.dispatchEvent(new CustomEvent('certificate:renew', { detail: { key: 'none', cert: 'none' } }))

    expect(await certificateAt(port)).to.equal(inOneLine(first))
  })

  for (const { name, certificate, message } of [
    {
      name: 'a file that is not there',
      certificate: () => ({ keyFile: '/nowhere.pem', certFile: first.certFile }),
      message: 'nowhere.pem'
    },
    {
      name: 'a key of another certificate',
      certificate: () => ({ key: second.key, cert: first.cert }),
      message: 'key values mismatch'
    },
    {
      name: 'a text that is no certificate',
      certificate: () => ({ key: first.key, cert: 'hello' }),
      message: 'webSockets.certificate cannot be used'
    }
  ]) {
    it(`is refused with a reason: ${name}`, async () => {
      await expect(openPort({ webSockets: { certificate: certificate() } }))
        .to.eventually.be.rejected.with.property('name', 'InvalidParametersError')
      await expect(openPort({ webSockets: { certificate: certificate() } }))
        .to.eventually.be.rejectedWith(message)
    })
  }

  it('is read again when the files have changed, and kept while they do not fit', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
    closeLater({ close: () => { rmSync(folder, { recursive: true }) } })
    const [keyFile, certFile] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
    copyFileSync(first.keyFile, keyFile)
    copyFileSync(first.certFile, certFile)
    const clock = new HeldClock()
    const certificates = closeLater(new Certificates({
      certificate: { keyFile, certFile },
      autoTLS: new AutoTLSCertificate(components()),
      clock,
      log: defaultLogger().forComponent('test'),
      onFirst: () => {}
    }))
    await certificates.open()
    const before = certificates.context

    const check = async (): Promise<void> => {
      clock.advance(FILE_CHECK_INTERVAL)
      // the next check is planned once this one is over
      await waitUntil('the next check is planned', () => clock.pending === 1)
    }

    await check()
    expect(certificates.context).to.equal(before)

    // the first of two files
    writeFileSync(keyFile, second.key)
    utimesSync(keyFile, new Date(), new Date(Date.now() + 5_000))
    await check()
    expect(certificates.context).to.equal(before)

    writeFileSync(certFile, second.cert)
    await check()
    expect(certificates.context).to.not.equal(before)

    certificates.close()
    expect(clock.pending).to.equal(0)
  })
})
