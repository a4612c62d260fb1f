import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { ConnectionTable } from '../../src/connection/connection-table.ts'
import { holdMapping } from '../../src/listen/mapping-holders.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import type { ListeningPort } from '../../src/listen/listening-ports.ts'

describe('holding a mapping by connections', () => {
  const { closeLater } = closesAfterEach()

  async function dialled (host: string): Promise<{ connections: ConnectionTable, socket: net.Socket, port: number }> {
    const server = closeLater(await fakeServer(() => {}, host))
    const socket = net.connect(server)
    closeLater({ close: () => socket.destroy() })
    await pEvent(socket, 'connect', { timeout: 5_000 })
    const connections = new ConnectionTable()
    connections.track(socket, 'outbound')

    return { connections, socket, port: socket.localPort ?? 0 }
  }

  it('takes connections that left from the listening port and pass the NAT', async () => {
    const v4 = await dialled('127.0.0.1')
    const v6 = await dialled('::1')
    const hold = (
      { connections }: { connections: ConnectionTable },
      port: ListeningPort,
      allowPrivate = true
    ): boolean => holdMapping(port, connections, { keepAlive: 1_000, allowPrivate })

    expect(hold(v4, { host: '0.0.0.0', port: v4.port, family: 4 })).to.equal(true)
    expect(hold(v4, { host: '127.0.0.1', port: v4.port, family: 4 })).to.equal(true)
    expect(hold(v6, { host: '::', port: v6.port, family: 6 })).to.equal(true)

    expect(hold(v4, { host: '0.0.0.0', port: v4.port, family: 4 }, false), 'to a neighbour').to.equal(false)
    expect(hold(v4, { host: '::', port: v4.port, family: 6 }), 'of the other IP version').to.equal(false)
    expect(hold(v4, { host: '127.0.0.2', port: v4.port, family: 4 }), 'from another address').to.equal(false)
    expect(hold(v4, { host: '0.0.0.0', port: v4.port + 1, family: 4 }), 'from another port').to.equal(false)

    v4.socket.destroy()
    await pEvent(v4.socket, 'close', { timeout: 5_000 })
    expect(hold(v4, { host: '0.0.0.0', port: v4.port, family: 4 }), 'closed').to.equal(false)
  })

  for (const host of [...NOT_GLOBAL[4], '11.0.0.1']) {
    const isHeld = host === '11.0.0.1'

    it(`${isHeld ? 'takes' : 'does not take'} a connection to ${host}`, async () => {
      const server = closeLater(await fakeServer(() => {}))
      const socket = net.connect(server)
      closeLater({ close: () => socket.destroy() })
      await pEvent(socket, 'connect', { timeout: 5_000 })
      // the test can connect to loopback only
      Object.defineProperty(socket, 'remoteAddress', { value: host })
      const connections = new ConnectionTable()
      connections.track(socket, 'outbound')
      const port: ListeningPort = { host: '0.0.0.0', port: socket.localPort ?? 0, family: 4 }

      expect(holdMapping(port, connections, { keepAlive: 1_000, allowPrivate: false })).to.equal(isHeld)
    })
  }
})
