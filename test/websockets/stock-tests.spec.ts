/**
 * The tests of `@libp2p/websockets` (js-libp2p, packages/transport-websockets/test/node.ts),
 * adapted: our transport listens, theirs dials. Their addresses to listen on end in `/ws`,
 * ours do not.
 */
import http from 'node:http'
import { defaultLogger } from '@libp2p/logger'
import { getNetConfig } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher'
import { expect } from 'aegir/chai'
import { TypedEventEmitter } from 'main-event'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { plainUpgrader } from '../fixtures/components.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { Certificate } from '../fixtures/certificate.ts'
import type { PlainUpgrader } from '../fixtures/components.ts'
import type { Libp2pEvents, Listener, Transport } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const SIGNAL = (): AbortSignal => AbortSignal.timeout(5_000)

describe('the tests of @libp2p/websockets, with our listener', () => {
  const { closeLater } = closesAfterEach()
  const test = {} as {
    upgrader: PlainUpgrader
    events: TypedEventEmitter<Libp2pEvents>
    ours: Transport
    theirs: Transport
    certificate: Certificate
  }

  before(() => { test.certificate = createCertificate() })
  after(() => { test.certificate.remove() })

  beforeEach(() => {
    const events = new TypedEventEmitter<Libp2pEvents>()
    test.upgrader = plainUpgrader()
    test.events = events
    test.ours = tcpSTUN({ stunServers: [], webSockets: true })({ events, logger: defaultLogger() })
    test.theirs = webSockets()({ events, logger: defaultLogger() })
  })

  function createListener (): Listener {
    return closeLater(test.ours.createListener({ upgrader: test.upgrader }))
  }

  function byWebSocket (listener: Listener): Multiaddr[] {
    return listener.getAddrs().filter(ma => WebSockets.exactMatch(ma))
  }

  for (const { family, loopback, any } of [
    { family: 'ip4', loopback: '/ip4/127.0.0.1/tcp/0', any: '/ip4/0.0.0.0/tcp/0' },
    { family: 'ip6', loopback: '/ip6/::1/tcp/0', any: '/ip6/::/tcp/0' }
  ]) {
    describe(`listen, ${family}`, () => {
      it('listen, check for promise', async () => {
        await createListener().listen(multiaddr(loopback))
      })

      it('listen, check for listening event', async () => {
        const listener = createListener()
        const listening = pEvent(listener, 'listening')
        await Promise.all([listening, listener.listen(multiaddr(loopback))])
      })

      it('should return an empty address list when `getAddrs` called before listening has finished', async () => {
        const listener = createListener()
        const listening = listener.listen(multiaddr(loopback))

        expect(listener.getAddrs()).to.be.empty()
        await listening
      })

      it('should error on starting two listeners on same address', async () => {
        const server = http.createServer()
        closeLater({ close: () => { server.close() } })
        const { host } = getNetConfig(multiaddr(loopback))
        const listening = pEvent(server, 'listening')
        server.listen(0, host)
        await listening
        const { port } = server.address() as { port: number }

        await expect(createListener().listen(multiaddr(loopback.replace(/0$/, `${port}`))))
          .to.eventually.be.rejected.with.property('code', 'EADDRINUSE')
      })

      it('listen, check for the close event', async () => {
        const listener = createListener()
        await listener.listen(multiaddr(loopback))
        await Promise.all([pEvent(listener, 'close'), listener.close()])
      })

      it('listen on port 0', async () => {
        const listener = createListener()
        await listener.listen(multiaddr(loopback))

        expect(listener.getAddrs().map(ma => getNetConfig(ma).port)).to.not.include(0)
      })

      it('listen on any Interface', async () => {
        const listener = createListener()
        await listener.listen(multiaddr(any))

        expect(listener.getAddrs().map(ma => getNetConfig(ma).host)).to.not.include.members(['0.0.0.0'])
        expect(byWebSocket(listener)).to.not.be.empty()
      })

      it('getAddrs', async () => {
        const listener = createListener()
        await listener.listen(multiaddr(loopback))
        const [plain] = listener.getAddrs()

        expect(byWebSocket(listener).map(String)).to.deep.equal([`${plain}/ws`])
      })
    })

    describe(`dial, ${family}`, () => {
      let address: Multiaddr

      beforeEach(async () => {
        const listener = createListener()
        await listener.listen(multiaddr(loopback));
        [address] = byWebSocket(listener)
      })

      it('dial', async () => {
        await expect(test.theirs.dial(address, { upgrader: test.upgrader, signal: SIGNAL() })).to.eventually.be.ok()
      })

      it('dial with p2p Id', async () => {
        const ma = address.encapsulate('/p2p/Qmb6owHp6eaWArVbcJJbQSyifyJBttMMjYV76N2hMbf5Vw')

        await expect(test.theirs.dial(ma, { upgrader: test.upgrader, signal: SIGNAL() })).to.eventually.be.ok()
      })

      it('should throw on immediate abort', async () => {
        const controller = new AbortController()
        const dial = test.theirs.dial(address, { upgrader: test.upgrader, signal: controller.signal })
        controller.abort()

        await expect(dial).to.eventually.be.rejected()
      })

      it('should resolve port 0', async () => {
        await test.theirs.dial(address, { upgrader: test.upgrader, signal: SIGNAL() })
        await waitUntil('the dial is accepted', () => test.upgrader.inbound.length === 1)
      })
    })

    describe(`auto-tls, ${family}`, () => {
      it('should listen on wss after a certificate is found', async () => {
        const listener = createListener()
        await listener.listen(multiaddr(loopback))
        expect(byWebSocket(listener)).to.have.lengthOf(1)
        const listening = pEvent(listener, 'listening')
        const { key, cert } = test.certificate
        test.events.safeDispatchEvent('certificate:provision', { detail: { key, cert } })
        await listening

        const [plain] = byWebSocket(listener)
        const secure = listener.getAddrs().filter(ma => WebSocketsSecure.exactMatch(ma))
        expect(secure).to.have.lengthOf(1)
        expect(getNetConfig(secure[0])).to.include({ host: getNetConfig(plain).host, port: getNetConfig(plain).port })
      })
    })
  }

  it('dial, ip4 no loopback', async () => {
    const listener = createListener()
    await listener.listen(multiaddr('/ip4/0.0.0.0/tcp/0'))
    const all = byWebSocket(listener)
    const outer = all.find(ma => !getNetConfig(ma).host.startsWith('127.')) ?? all[0]

    await expect(test.theirs.dial(outer, { upgrader: test.upgrader, signal: SIGNAL() })).to.eventually.be.ok()
  })

  it('leaves addresses of WebSockets to the transport that dials them', () => {
    const addresses = [
      '/ip4/192.0.2.1/tcp/4001',
      '/ip4/192.0.2.1/tcp/4001/ws',
      '/ip4/192.0.2.1/tcp/4001/tls/ws',
      '/dns4/a.example/tcp/443/wss'
    ]
      .map(address => multiaddr(address))

    expect(test.ours.dialFilter(addresses).map(String)).to.deep.equal(['/ip4/192.0.2.1/tcp/4001'])
    expect(test.theirs.dialFilter(addresses)).to.have.lengthOf(3)
  })
})
