import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindHandle } from '../../src/net/bind-handle.ts'
import { bindBoundSocket } from '../../src/net/bind.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'

const EVENT = { timeout: 20_000 }

for (const { name, bind, isSupported } of [
  { name: 'net.BoundSocket', bind: bindBoundSocket, isSupported: typeof net.BoundSocket === 'function' },
  { name: 'a handle', bind: bindHandle, isSupported: true }
]) {
  describe(`bind by ${name}`, () => {
    const { closeLater } = closesAfterEach()

    before(function () {
      if (process.platform !== 'linux' || !isSupported) {
        this.skip()
      }
    })

    for (const host of ['127.0.0.1', '::1']) {
      it(`listens at ${host} and connects from the same port`, async () => {
        const remote = closeLater(net.createServer().listen(0, host))
        await pEvent(remote, 'listening', EVENT)

        const server = closeLater(net.createServer())
        const bound = bind({ host, port: 0, reusePort: true })
        expect(bound.host).to.equal(host)
        expect(bound.fd).to.be.greaterThan(2)
        bound.listen(server)
        await pEvent(server, 'listening', EVENT)
        expect(server.address()).to.include({ address: host, port: bound.port })

        const accepted = pEvent<'connection', net.Socket>(remote, 'connection', EVENT)
        const { port } = remote.address() as net.AddressInfo
        const socket = bind({ host, port: bound.port, reusePort: true }).connect({ host, port })
        closeLater({ close: () => socket.destroy() })
        await pEvent(socket, 'connect', EVENT)
        const inbound = await accepted
        closeLater({ close: () => inbound.destroy() })
        expect(inbound.remotePort).to.equal(bound.port)
      })
    }

    it('fails with EADDRNOTAVAIL at an address of another machine', () => {
      expect(() => bind({ host: '192.0.2.1', port: 0, reusePort: true }))
        .to.throw().with.property('code', 'EADDRNOTAVAIL')
    })

    it('fails with EADDRINUSE without sharing while a socket listens', () => {
      const bound = bind({ host: '127.0.0.1', port: 0, reusePort: true })
      bound.listen(closeLater(net.createServer()))

      expect(() => bind({ host: '127.0.0.1', port: bound.port, reusePort: false }))
        .to.throw().with.property('code', 'EADDRINUSE')
    })
  })
}
