import http from 'node:http'
import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { closesAfterEach } from '../../../test/fixtures/cleanup.ts'
import { LightPeer } from '../../../test/fixtures/light-peer.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { startHelper } from '../src/helper/helper.ts'
import { serveHelperMetrics } from '../src/helper/metrics.ts'
import { serveWeb } from '../src/metrics/web.ts'
import { Updates } from '../src/page/updates.ts'
import type { Helper, HelperInit } from '../src/helper/options.ts'
import type { MetricsServer } from '../src/metrics/web.ts'
import type { RenderedSection } from '../src/page/document.ts'
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

const HOST = '127.0.0.1'
const ANYWHERE = [{ host: HOST, port: 0 }]
const EVENT = { timeout: 10_000 }

describe('the status page of a helper', () => {
  const { closeLater } = closesAfterEach()

  async function start (init: HelperInit = {}): Promise<Helper> {
    return closeLater(await startHelper({
      listen: ANYWHERE,
      stunListen: ANYWHERE,
      hostNames: ['status.example.org'],
      ...init
    }))
  }

  async function serve (helper: Helper): Promise<MetricsServer> {
    return closeLater(await serveHelperMetrics(helper, { listen: ANYWHERE[0] }))
  }

  /**
   * As on a port that everybody can reach
   */
  async function servePublicly (helper: Helper): Promise<MetricsServer> {
    return closeLater(await serveWeb(
      (request, response) => { helper.page.handle(request, response, false) },
      { listen: ANYWHERE[0] }
    ))
  }

  async function open (
    { address: { port } }: MetricsServer,
    path: string,
    init: http.RequestOptions = {}
  ): Promise<IncomingMessage> {
    const request = http.request({ host: HOST, port, path, agent: false, ...init })
    request.on('error', () => {})
    request.end()

    return pEvent<'response', IncomingMessage>(request, 'response', EVENT)
  }

  /**
   * A peer of the helper, until the end of the test
   */
  async function connectPeer (helper: Helper): Promise<LightPeer> {
    const peer = await LightPeer.connect({ host: HOST, port: portOf(helper) })
    closeLater({ close: () => { peer.reset() } })

    return peer
  }

  interface Answer {
    status?: number
    body: string
    headers: http.IncomingHttpHeaders
  }

  async function ask (
    web: MetricsServer,
    path: string,
    headers: OutgoingHttpHeaders = {},
    method = 'GET'
  ): Promise<Answer> {
    const response = await open(web, path, { headers, method })
    response.setEncoding('utf8')

    return { status: response.statusCode, body: (await response.toArray()).join(''), headers: response.headers }
  }

  /**
   * The events of a stream, as they come
   */
  function sectionsOf (response: IncomingMessage): RenderedSection[][] {
    const events: RenderedSection[][] = []
    let text = ''
    response.setEncoding('utf8')
    response.on('error', () => {})
    response.on('data', chunk => {
      const parts = (text + chunk).split('\n\n')
      text = parts.pop() ?? ''
      events.push(...parts
        .filter(part => part.startsWith('event: sections\ndata: '))
        .map(part => JSON.parse(part.slice(22))))
    })

    return events
  }

  it('is a page that nothing can be added to', async () => {
    const helper = await start()
    const { status, body, headers } = await ask(await serve(helper), '/')

    expect(status).to.equal(200)
    expect(body).to.include(helper.node.getMultiaddrs()[0].toString())
    expect(body).to.include('await helperConfig(&#39;/ip4/127.0.0.1/')
    const policy = String(headers['content-security-policy']).split('; ')
    expect(policy.slice(0, 4).map(rule => rule.replace(/'sha256-[^ ]+'/, 'HASH'))).to.deep.equal([
      "default-src 'none'", 'script-src HASH', 'style-src HASH', "connect-src 'self'"
    ])
    expect(policy.join()).to.not.include('unsafe')
    expect(headers).to.include({
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store'
    })
    expect(body).to.not.match(/(?:src|href)="(?!data:|\/)/)
  })

  it('shows what there is: peers, the board, limits, access', async () => {
    const helper = await start({ maxPeers: 33, stunCredential: { username: 'a', password: 'b' } })
    const peer = await connectPeer(helper)
    const status = JSON.parse((await ask(await serve(helper), '/status.json')).body)

    expect(status.id).to.equal(helper.node.peerId.toString())
    expect(status.peers.kinds).to.deep.equal([{ transport: 'tcp', verdict: 'unknown', count: 1 }])
    expect(status.peers.list[0].id).to.equal(peer.id.toString())
    expect(status.usage.reservations).to.deep.equal({ used: 0, max: 33 })
    expect(status.access).to.deep.equal({ networkKey: false, stunCredential: true })
    expect(status.reachability).to.deep.equal({ kind: 'no-public-address' })
    expect(status.node).to.include("stunCredential: await readFile('stun.credential', 'utf8')")
  })

  it('answers health and metrics beside it', async () => {
    const web = await serve(await start())

    expect(await ask(web, '/health')).to.include({ status: 200 })
    expect((await ask(web, '/metrics')).body).to.include('tcp_stun_helper_max_peers 1000')
    expect(await ask(web, '/nothing')).to.include({ status: 404 })
    expect(await ask(web, '/', {}, 'HEAD')).to.include({ status: 200, body: '' })
  })

  for (const { title, headers } of [
    { title: 'a foreign host name', headers: { host: 'evil.example' } },
    { title: 'a foreign origin', headers: { origin: 'http://evil.example' } },
    { title: 'a page of another site', headers: { 'sec-fetch-site': 'cross-site' } }
  ]) {
    it(`gives nothing to ${title}`, async () => {
      const web = await serve(await start())

      for (const path of ['/', '/events', '/status.json', '/metrics', '/health', '/nothing']) {
        expect(await ask(web, path, headers), path).to.include({ status: 421, body: '' })
      }
    })
  }

  it('is for everybody at the public port, the rest for the machine, names for its users', async () => {
    const helper = await start({ announce: ['/dns4/helper.example.org/tcp/4001'] })
    const peer = await connectPeer(helper)
    const id = peer.id.toString()
    const web = await servePublicly(helper)
    const proxied = { host: 'helper.example.org', 'x-forwarded-for': '203.0.113.1' }

    expect((await ask(web, '/')).body).to.include(id)
    expect((await ask(web, '/status.json')).body).to.include(id)

    // by its name from the machine, as a page that was rebound to it could
    const rebound = { host: 'helper.example.org' }
    expect((await ask(web, '/', rebound)).body).to.include('helper.example.org').and.not.include(id)
    expect((await ask(web, '/status.json', rebound)).body).to.include('"peers"').and.not.include(id)

    expect((await ask(web, '/', proxied)).status).to.equal(200)

    for (const path of ['/status.json', '/metrics', '/health', '/nothing']) {
      expect(await ask(web, path, proxied), path).to.include({ status: 404, body: 'Not found\n' })
    }
  })

  it('knows the names that it was given', async () => {
    expect((await ask(await serve(await start()), '/', { host: 'Status.example.org:80' })).status).to.equal(200)
  })

  for (const { title, request, status } of [
    {
      title: 'other methods',
      request: 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc',
      status: 405
    },
    {
      title: 'a body that does not end',
      request: 'GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n',
      status: 200
    },
    { title: 'a long path', request: `GET /${'a'.repeat(2_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, status: 414 },
    {
      title: 'headers beyond 8 kB',
      request: `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      status: 431
    },
    { title: 'a path of a file', request: 'GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n', status: 404 },
    {
      title: 'the address of another server',
      request: 'GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n',
      status: 404
    },
    {
      title: 'two lengths',
      request: 'GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
      status: 400
    },
    {
      title: 'a length and chunks',
      request: 'GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      status: 400
    },
    { title: 'no host', request: 'GET / HTTP/1.1\r\n\r\n', status: 400 },
    { title: 'two hosts', request: 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n', status: 400 },
    { title: 'something else than HTTP', request: '\x13/multistream/1.0.0\n\r\n\r\n', status: 400 }
  ]) {
    it(`answers ${title} with ${status}, and goes on`, async () => {
      const web = await serve(await start())
      const socket = net.connect(web.address.port, HOST)
      socket.on('error', () => {})
      socket.setEncoding('latin1')
      socket.write(request)
      const chunk = await pEvent<'data', string>(socket, 'data', EVENT)
      socket.destroy()

      expect(chunk).to.match(new RegExp(`^HTTP/1.1 ${status} `))
      expect(await ask(web, '/')).to.include({ status: 200 })
    })
  }

  it('sends all sections first, then those that have changed', async () => {
    const helper = await start()
    const events = sectionsOf(await open(await serve(helper), '/events'))
    await waitUntil('the first event is there', () => events.length > 0)
    expect(events[0].map(({ id }) => id)).to.deep.equal([
      'state', 'connect', 'usage', 'peers', 'namespaces', 'refusals', 'helpers'
    ])

    const peer = await connectPeer(helper)
    await waitUntil('the peer is shown', () => events.some(sections =>
      sections.some(({ id, html }) => id === 'peers' && html.includes(peer.id.toString()))))
    expect(events.at(-1)?.map(({ id }) => id)).to.include('usage').and.not.include('refusals')
  })

  it('admits only so many readers from one address, and others when they leave', async () => {
    const web = await serve(await start())
    const readers = await Promise.all(Array.from({ length: 20 }, async () => open(web, '/events')))
    const admitted = readers.filter(({ statusCode }) => statusCode === 200)

    expect(admitted).to.have.lengthOf(8)
    expect(readers.filter(({ statusCode }) => statusCode === 503)).to.have.lengthOf(12)

    admitted[0].destroy()
    await waitUntil('another reader is admitted', async () => {
      const reader = await open(web, '/events')

      if (reader.statusCode !== 200) {
        reader.destroy()
      }

      return reader.statusCode === 200
    })
  })

  it('admits 100 readers in all, and goes on answering', async () => {
    const web = await serve(await start())
    // eight from each of 13 addresses
    const readers = await Promise.all(Array.from({ length: 104 }, async (_, i) =>
      open(web, '/events', { localAddress: `127.0.1.${1 + i % 13}` })))
    const refused = readers.filter(({ statusCode }) => statusCode === 503)

    expect(readers.filter(({ statusCode }) => statusCode === 200)).to.have.lengthOf(100)
    expect(refused).to.have.lengthOf(4)
    expect(refused[0].headers).to.include({ 'retry-after': '30' })
    expect(await ask(web, '/')).to.include({ status: 200 })
  })

  it('lets nobody hold it open', async () => {
    const helper = await start()
    const web = await serveHelperMetrics(helper, { listen: ANYWHERE[0] })
    const reader = await open(web, '/events')
    reader.on('error', () => {})
    const closed = pEvent(reader, 'close', { ...EVENT, rejectionEvents: [] })
    await web.close()
    await closed
  })
})

describe('updates of the status page', () => {
  const { closeLater } = closesAfterEach()

  async function serve (updates: Updates): Promise<number> {
    const server = http.createServer((request, response) => {
      updates.add(response, 'everybody', request.socket.remoteAddress ?? '')
    })
    server.listen(0, HOST)
    await pEvent(server, 'listening', EVENT)
    closeLater({ close: () => { server.close() } })
    closeLater(updates)

    return (server.address() as AddressInfo).port
  }

  it('are dropped for a reader that does not read', async () => {
    let version = 0
    const updates = new Updates({
      interval: 5,
      render: () => [{ id: 'peers', version: String(version++), html: 'x'.repeat(100_000) }]
    })
    const port = await serve(updates)
    const socket = net.connect(port, HOST)
    socket.on('error', () => {})
    closeLater({ close: () => { socket.destroy() } })
    socket.pause()
    socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')

    await waitUntil('the reader is there', () => updates.size === 1)
    await waitUntil('the reader is gone', () => updates.size === 0)
  })
})

function portOf (helper: Helper): number {
  return Number(helper.node.getMultiaddrs()[0].toString().split('/')[4])
}
