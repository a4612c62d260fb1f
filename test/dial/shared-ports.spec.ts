import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { SharedPorts } from '../../src/dial/shared-ports.ts'
import { NOT_GLOBAL } from '../fixtures/addresses.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import type { SharedPort } from '../../src/dial/shared-ports.ts'

describe('shared ports', () => {
  const { closeLater } = closesAfterEach()

  async function dialled (host: string): Promise<{ ports: SharedPorts, socket: net.Socket, port: number, remote: { host: string, port: number } }> {
    const server = closeLater(await fakeServer(() => {}, host))
    const socket = net.connect(server)
    closeLater({ close: () => socket.destroy() })
    await pEvent(socket, 'connect', { timeout: 5_000 })
    const ports = new SharedPorts()
    ports.track(socket, 'outbound')

    return { ports, socket, port: socket.localPort ?? 0, remote: { host, port: server.port } }
  }

  it('are held by connections that pass the NAT of the listener', async () => {
    const v4 = await dialled('127.0.0.1')
    const v6 = await dialled('::1')
    const hold = ({ ports }: { ports: SharedPorts }, port: SharedPort, allowPrivate = true): boolean => ports.hold(port, { keepAlive: 1_000, allowPrivate })

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

    it(`are ${isHeld ? '' : 'not '}held by a connection to ${host}`, async () => {
      const { ports, socket, port } = await dialled('127.0.0.1')
      // loopback is all that the test can connect to
      Object.defineProperty(socket, 'remoteAddress', { value: host })
      expect(ports.hold({ host: '0.0.0.0', port, family: 4 }, { keepAlive: 1_000, allowPrivate: false })).to.equal(isHeld)
    })
  }

  it('know which of them an endpoint was dialled from, unless it was another port too', async () => {
    const { ports, port, remote } = await dialled('127.0.0.1')
    const shared: SharedPort = { host: '0.0.0.0', port, family: 4 }
    expect(ports.outboundPort(remote)).to.equal(undefined)
    ports.add(shared)
    expect(ports.outboundPort(remote)).to.equal(shared)

    const other = net.connect(remote)
    closeLater({ close: () => other.destroy() })
    await pEvent(other, 'connect', { timeout: 5_000 })
    ports.track(other, 'outbound')
    expect(ports.outboundPort(remote)).to.equal(undefined)
  })
})
