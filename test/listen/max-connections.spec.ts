import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { components, plainUpgrader } from '../fixtures/components.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { TCPSTUNInit } from '../../src/index.ts'
import type { Listener } from '@libp2p/interface'

const EVENT = { timeout: 10_000 }

describe('connection limits', () => {
  const closing: Array<() => unknown> = []

  afterEach(async () => {
    await Promise.all(closing.splice(0).reverse().map(async close => { await close() }))
  })

  async function listen (
    init: TCPSTUNInit
  ): Promise<{ listener: Listener; port: number; upgraded(count: number): Promise<void> }> {
    const upgrader = plainUpgrader()
    const listener = tcpSTUN(init)(components()).createListener({ upgrader })
    await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
    closing.push(async () => listener.close())

    return {
      listener,
      port: Number(listener.getAddrs()[0].getComponents()[1].value),
      upgraded: async count => {
        await waitUntil(`${count} connections are upgraded`, () => upgrader.inbound.length >= count)
      }
    }
  }

  function connect (port: number): net.Socket {
    const socket = net.connect({ host: '127.0.0.1', port })
    socket.on('error', () => {})
    closing.push(() => socket.destroy())

    return socket
  }

  it('drops connections beyond maxConnections', async () => {
    const { port, upgraded } = await listen({ maxConnections: 2 })
    connect(port)
    connect(port)
    await upgraded(2)
    await pEvent(connect(port), 'close', { ...EVENT, rejectionEvents: [] })
  })

  it('stops listening at closeAbove and listens again on the same port below listenBelow', async () => {
    const { listener, port, upgraded } = await listen({
      closeServerOnMaxConnections: { closeAbove: 3, listenBelow: 2 }
    })
    let closes = 0
    listener.addEventListener('close', () => { closes++ })
    const sockets = [connect(port), connect(port), connect(port)]
    await upgraded(3)

    await waitUntil('nothing listens', () => listener.getAddrs().length === 0)

    const refused = await pEvent<'error', NodeJS.ErrnoException>(connect(port), 'error', {
      ...EVENT,
      rejectionEvents: []
    })
    expect(refused.code).to.equal('ECONNREFUSED')

    // two are left: not below the limit yet
    const listening = pEvent(listener, 'listening', EVENT)
    sockets[0].destroy()
    sockets[1].destroy()
    await listening
    expect(listener.getAddrs().map(String)).to.deep.equal([`/ip4/127.0.0.1/tcp/${port}`])

    connect(port)
    await upgraded(4)
    expect(closes).to.equal(0)
  })

  it('says when the port was taken meanwhile', async () => {
    const failed = Promise.withResolvers<NodeJS.ErrnoException>()
    const { listener, port, upgraded } = await listen({
      closeServerOnMaxConnections: { closeAbove: 1, listenBelow: 1, onListenError: failed.resolve }
    })
    const socket = connect(port)
    await upgraded(1)

    await waitUntil('nothing listens', () => listener.getAddrs().length === 0)

    const thief = net.createServer().listen({ host: '127.0.0.1', port })
    closing.push(() => thief.close())
    await pEvent(thief, 'listening', EVENT)
    socket.destroy()

    expect((await failed.promise).code).to.equal('EADDRINUSE')
  })

  it('can be closed while it does not listen', async () => {
    const { listener, port, upgraded } = await listen({
      closeServerOnMaxConnections: { closeAbove: 1, listenBelow: 1 }
    })
    const closed = pEvent(connect(port), 'close', { ...EVENT, rejectionEvents: [] })
    await upgraded(1)

    await waitUntil('nothing listens', () => listener.getAddrs().length === 0)

    await listener.close()
    await closed
  })
})
