import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { assertPortFree, bindSocket } from '../../src/net/bound-socket.ts'

const EVENT = { timeout: 20_000 }

/**
 * The sockets that a test opens
 */
class Sockets {
  private readonly opened: Array<net.Socket | net.Server> = []

  add<T extends net.Socket | net.Server> (socket: T): T {
    this.opened.push(socket)
    return socket
  }

  async close (): Promise<void> {
    await Promise.all(this.opened.splice(0).map(async socket => {
      if (socket instanceof net.Server) {
        await new Promise(resolve => { socket.close(resolve) })
      } else {
        socket.destroy()
      }
    }))
  }
}

function describeAddress ({ host, ipv6Only }: { host: string, ipv6Only?: boolean }): string {
  return ipv6Only === true ? `${host} for IPv6 only` : host
}

describe('bound socket', () => {
  const sockets = new Sockets()

  afterEach(async () => { await sockets.close() })

  async function listen (host: string, options: net.ListenOptions = {}): Promise<{ server: net.Server, port: number }> {
    const server = sockets.add(net.createServer(socket => { sockets.add(socket).on('error', () => {}) }))
    server.listen({ ...options, host, port: 0 })
    await pEvent(server, 'listening', EVENT)

    return { server, port: (server.address() as net.AddressInfo).port }
  }

  for (const { name, host, loopback } of [
    { name: '127.0.0.1', host: '127.0.0.1', loopback: '127.0.0.1' },
    { name: '0.0.0.0', host: '0.0.0.0', loopback: '127.0.0.1' },
    { name: '::1', host: '::1', loopback: '::1' },
    { name: '::', host: '::', loopback: '::1' }
  ]) {
    it(`connects from the port that it listens on at ${name}, in both orders`, async () => {
      const ipv6Only = net.isIPv6(host)
      const remote = await listen(loopback)
      const other = await listen(loopback)

      // connect first
      const first = bindSocket({ host, port: 0, ipv6Only })
      const { port } = first
      const accepted = pEvent<'connection', net.Socket>(remote.server, 'connection', EVENT)
      await pEvent(sockets.add(first.connect({ host: loopback, port: remote.port })), 'connect', EVENT)
      expect(await accepted).to.have.property('remotePort', port)

      // then listen
      const server = sockets.add(net.createServer(socket => { sockets.add(socket) }))
      const listening = pEvent(server, 'listening', EVENT)
      bindSocket({ host, port, ipv6Only }).listen(server)
      await listening
      expect(server.address()).to.have.property('port', port)

      // and connect to another server while listening
      const second = pEvent<'connection', net.Socket>(other.server, 'connection', EVENT)
      const outbound = bindSocket({ host, port, ipv6Only }).connect({ host: loopback, port: other.port })
      await pEvent(sockets.add(outbound), 'connect', EVENT)
      expect(await second).to.have.property('remotePort', port)

      // the listener still accepts
      const inbound = pEvent(server, 'connection', EVENT)
      sockets.add(net.connect({ host: loopback, port }))
      await inbound
    })
  }

  it('passes the options on to the socket', async () => {
    const remote = await listen('127.0.0.1')
    const options = { host: 'localhost', family: 4, port: remote.port, allowHalfOpen: true, noDelay: true }
    const socket = sockets.add(bindSocket({ host: '127.0.0.1', port: 0 }).connect(options))
    await pEvent(socket, 'connect', EVENT)

    expect(socket).to.have.property('allowHalfOpen', true)
  })

  describe('the check that a port is free', () => {
    for (const { listener, ours } of [
      { listener: { host: '127.0.0.1' }, ours: { host: '127.0.0.1' } },
      { listener: { host: '127.0.0.1' }, ours: { host: '0.0.0.0' } },
      { listener: { host: '127.0.0.1' }, ours: { host: '::' } },
      { listener: { host: '0.0.0.0' }, ours: { host: '127.0.0.1' } },
      { listener: { host: '0.0.0.0' }, ours: { host: '0.0.0.0' } },
      { listener: { host: '0.0.0.0' }, ours: { host: '::' } },
      { listener: { host: '::' }, ours: { host: '127.0.0.1' } },
      { listener: { host: '::' }, ours: { host: '0.0.0.0' } },
      { listener: { host: '::' }, ours: { host: '::1', ipv6Only: true } },
      { listener: { host: '::', ipv6Only: true }, ours: { host: '::' } },
      { listener: { host: '::1' }, ours: { host: '::', ipv6Only: true } },
      { listener: { host: '::ffff:127.0.0.1' }, ours: { host: '0.0.0.0' } }
    ]) {
      for (const reusePort of [false, true]) {
        const other = `${describeAddress(listener)} ${reusePort ? 'with' : 'without'} sharing`

        it(`finds a listener at ${other} for ${describeAddress(ours)}`, async () => {
          const { port } = await listen(listener.host, { ...listener, reusePort })

          expect(() => { assertPortFree({ ...ours, port }) }).to.throw().with.property('code', 'EADDRINUSE')
        })
      }
    }

    for (const { listener, ours } of [
      { listener: { host: '127.0.0.1' }, ours: { host: '127.0.0.2' } },
      { listener: { host: '127.0.0.1' }, ours: { host: '::', ipv6Only: true } },
      { listener: { host: '0.0.0.0' }, ours: { host: '::', ipv6Only: true } },
      { listener: { host: '::', ipv6Only: true }, ours: { host: '0.0.0.0' } },
      { listener: { host: '::1' }, ours: { host: '127.0.0.1' } }
    ]) {
      it(`allows a listener at ${describeAddress(listener)} for ${describeAddress(ours)}`, async () => {
        const { port } = await listen(listener.host, listener)

        assertPortFree({ ...ours, port })
      })
    }

    it('finds a connection whose socket does not share its address', async () => {
      const remote = await listen('127.0.0.1')
      const socket = sockets.add(net.connect({ host: '127.0.0.1', port: remote.port }))
      await pEvent(socket, 'connect', EVENT)

      const port = socket.localPort ?? 0
      expect(() => { assertPortFree({ host: '0.0.0.0', port }) }).to.throw().with.property('code', 'EADDRINUSE')
    })

    it('allows connections from the port, a socket that does not listen yet, and port 0', async () => {
      const remote = await listen('127.0.0.1')
      const bound = bindSocket({ host: '127.0.0.1', port: 0 })
      await pEvent(sockets.add(bound.connect({ host: '127.0.0.1', port: remote.port })), 'connect', EVENT)
      const idle = bindSocket({ host: '127.0.0.1', port: bound.port })

      assertPortFree({ host: '127.0.0.1', port: bound.port })
      assertPortFree({ host: '127.0.0.1', port: 0 })
      idle.close()
    })
  })

  it('fails with EADDRNOTAVAIL at an address of another machine', () => {
    expect(() => bindSocket({ host: '192.0.2.1', port: 0 })).to.throw().with.property('code', 'EADDRNOTAVAIL')
  })

  it('refuses a second connection to the same endpoint until the first is reset', async () => {
    const remote = await listen('127.0.0.1')
    const bound = bindSocket({ host: '127.0.0.1', port: 0 })
    const { port } = bound
    const again = (): net.Socket => {
      return sockets.add(bindSocket({ host: '127.0.0.1', port }).connect({ host: '127.0.0.1', port: remote.port }))
    }

    const first = sockets.add(bound.connect({ host: '127.0.0.1', port: remote.port }))
    await pEvent(first, 'connect', EVENT)

    const err = await pEvent<'error', NodeJS.ErrnoException>(again(), 'error', { ...EVENT, rejectionEvents: [] })
    expect(err.code).to.equal('EADDRNOTAVAIL')

    first.resetAndDestroy()
    await pEvent(first, 'close', EVENT)
    await pEvent(again(), 'connect', EVENT)
  })

  it('releases the port when it is closed or aborted before it is used', () => {
    const closed = bindSocket({ host: '127.0.0.1', port: 0 })
    closed.close()
    closed.close()
    assertPortFree({ host: '127.0.0.1', port: closed.port })

    const controller = new AbortController()
    const aborted = bindSocket({ host: '127.0.0.1', port: 0, signal: controller.signal })
    controller.abort()
    assertPortFree({ host: '127.0.0.1', port: aborted.port })

    expect(() => bindSocket({ host: '127.0.0.1', port: 0, signal: controller.signal }))
      .to.throw().with.property('name', 'AbortError')
  })
})
