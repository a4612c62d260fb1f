import https from 'node:https'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { STUNClient } from 'libp2p-tcp-stun/stun'
import { pEvent } from 'p-event'
import { createCertificate } from '../../../test/fixtures/certificate.ts'
import { closesAfterEach } from '../../../test/fixtures/cleanup.ts'
import { LightPeer } from '../../../test/fixtures/light-peer.ts'
import { announcedAddresses, withWebSockets } from '../src/helper/endpoints.ts'
import { startHelper } from '../src/helper/helper.ts'
import type { Certificate } from '../../../test/fixtures/certificate.ts'
import type { Helper, HelperInit } from '../src/helper/options.ts'
import type { IncomingMessage } from 'node:http'

const HOST = '127.0.0.1'
const ANYWHERE = [{ host: HOST, port: 0 }]
const EVENT = { timeout: 10_000 }

describe('the port of a helper', () => {
  const { closeLater } = closesAfterEach()
  let certificate: Certificate

  before(() => { certificate = createCertificate() })
  after(() => { certificate.remove() })

  async function start (init: HelperInit = {}): Promise<Helper & { port: number }> {
    const helper = closeLater(await startHelper({ listen: ANYWHERE, stunListen: ANYWHERE, ...init }))

    return Object.assign(helper, { port: Number(helper.node.getMultiaddrs()[0].toString().split('/')[4]) })
  }

  it('takes TCP, WebSockets, and requests for the status page', async () => {
    const { port, node } = await start()
    const light = await LightPeer.connect({ host: HOST, port })
    closeLater({ close: () => { light.reset() } })
    const browser = await createLibp2p({
      transports: [webSockets()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify() }
    })
    closeLater({ close: async () => browser.stop() })
    await browser.dial(multiaddr(`/ip4/${HOST}/tcp/${port}/ws/p2p/${node.peerId}`))

    const page = await fetch(`http://${HOST}:${port}/`)
    expect(page.status).to.equal(200)
    expect(page.headers.get('content-security-policy')).to.include("default-src 'none'")
    expect(await page.text()).to.include(light.id.toString())

    const { peers } = await (await fetch(`http://${HOST}:${port}/status.json`)).json()
    expect(peers.kinds).to.have.deep.members([
      { transport: 'tcp', verdict: 'unknown', count: 1 },
      { transport: 'ws', verdict: 'unknown', count: 1 }
    ])
    expect((await fetch(`http://${HOST}:${port}/health`)).status).to.equal(200)
    expect(await (await fetch(`http://${HOST}:${port}/metrics`)).text()).to.include('tcp_stun_helper_connections 2')
  })

  it('answers STUN', async () => {
    const { port } = await start()
    const client = new STUNClient({ server: { host: HOST, port } })
    closeLater(client)
    await client.connect()

    expect((await client.request()).mapped).to.include({ host: HOST })
  })

  it('has TLS with a certificate, and says when it expires', async () => {
    const { keyFile, certFile } = certificate
    const { port } = await start({ certificate: { keyFile, certFile }, announce: ['/dns4/localhost/tcp/1'] })
    const request = https.get({ host: HOST, port, path: '/status.json', rejectUnauthorized: false, agent: false })
    const response = await pEvent<'response', IncomingMessage>(request, 'response', EVENT)
    const status = JSON.parse(Buffer.concat(await response.toArray()).toString())

    expect(status.certificates[0].names).to.include('localhost')
    expect(status.certificates[0].expires).to.be.greaterThan(Date.now())
    expect(status.addresses.join()).to.include('/dns4/localhost/tcp/1/tls/ws/')
  })

  it('ends readers of the page when it is closed', async () => {
    const helper = await start()
    const { body } = await fetch(`http://${HOST}:${helper.port}/events`)
    const reader = body?.getReader()
    await reader?.read()
    await helper.close()
    // it may end with an error
    await reader?.read().then(async () => reader.read()).catch(() => {})
  })

  it('is TCP only where it was told so', async () => {
    const { port, node } = await start({ webSockets: false })

    expect(node.getMultiaddrs().join()).to.not.include('/ws')
    await fetch(`http://${HOST}:${port}/`).then(() => { throw new Error('it answers') }, () => {})
  })
})

describe('the addresses of a helper for browsers', () => {
  for (const { address, certificate, expected } of [
    { address: '/ip4/11.0.0.1/tcp/4001', certificate: 'none', expected: ['/ws'] },
    { address: '/ip4/11.0.0.1/tcp/4001', certificate: 'own', expected: ['/ws'] },
    { address: '/ip4/11.0.0.1/tcp/4001', certificate: 'auto', expected: ['/ws', '/tls/ws'] },
    { address: '/dns4/a.example.org/tcp/4001', certificate: 'none', expected: ['/ws'] },
    { address: '/dns4/a.example.org/tcp/443', certificate: 'own', expected: ['/ws', '/tls/ws'] },
    { address: '/dns4/a.example.org/tcp/443', certificate: 'auto', expected: ['/ws'] },
    { address: '/dns4/a.example.org/tcp/443/tls/ws', certificate: 'own', expected: [] }
  ] as const) {
    it(`${address}, certificate: ${certificate}: ${expected.join(', ') || 'no others'}`, () => {
      expect(withWebSockets(address, certificate)).to.deep.equal([address, ...expected.map(end => address + end)])
    })
  }

  it('are without those at a host that peers must not contact, and with AutoTLS without TLS that has no name', () => {
    const addresses = [
      '/ip4/11.0.0.1/tcp/4001', '/ip4/11.0.0.1/tcp/4001/tls/ws', '/ip4/11.0.0.1/tcp/4001/tls/sni/a.example.org/ws',
      '/ip4/11.0.0.2/tcp/4001', '/dns4/a.example.org/tcp/4001/tls/ws'
    ]
    const announced = (isAuto: boolean, without?: string[]): number[] =>
      announcedAddresses(addresses.map(text => multiaddr(text)), isAuto, without)
        .map(address => addresses.indexOf(address.toString()))

    expect(announced(false)).to.deep.equal([0, 1, 2, 3, 4])
    expect(announced(true)).to.deep.equal([0, 2, 3, 4])
    expect(announced(false, ['11.0.0.2'])).to.deep.equal([0, 1, 2, 4])
  })
})
