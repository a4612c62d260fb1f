import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { ContactedHosts, contactedHosts } from '../../src/net/contacted-hosts.ts'
import { resetSocket } from '../../src/net/reset-socket.ts'
import { openSocket } from '../../src/stun/client-socket.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { listenShared } from '../fixtures/listen-shared.ts'

describe('contacted hosts', () => {
  const { closeLater } = closesAfterEach()

  it('are remembered for each port, in any form of their address', () => {
    const hosts = new ContactedHosts()
    hosts.add(4001, '11.0.0.1')
    hosts.add(4001, '::ffff:11.0.0.2')

    expect(['11.0.0.1', '::ffff:11.0.0.1', '11.0.0.2', '11.0.0.3'].map(host => hosts.has(4001, host)))
      .to.deep.equal([true, true, true, false])
    expect(hosts.has(4002, '11.0.0.1')).to.equal(false)
  })

  it('are all hosts when there are too many', () => {
    const hosts = new ContactedHosts(2)
    hosts.add(4001, '11.0.0.1')
    expect(hosts.has(4001, '11.0.0.9')).to.equal(false)
    hosts.add(4001, '11.0.0.2')
    hosts.add(4001, '11.0.0.3')

    expect(['11.0.0.1', '11.0.0.3', '11.0.0.9'].map(host => hosts.has(4001, host))).to.deep.equal([true, true, true])
    expect(hosts.has(4002, '11.0.0.1')).to.equal(false)
  })

  it('are those of dials before they are connected, of names, and of STUN clients', async () => {
    const { port } = closeLater(await listenShared())
    // nobody listens there
    const refused = bindSocket({ host: '127.0.0.1', port }).connect({ host: '127.0.0.7', port: 9 })
    const failed = pEvent(refused, 'error', { rejectionEvents: [], timeout: 5_000 })
    expect(contactedHosts.has(port, '127.0.0.7')).to.equal(true)
    await failed

    const server = closeLater(net.createServer(socket => { socket.on('error', () => {}) }))
    server.listen(0, '127.0.0.1')
    await pEvent(server, 'listening', { timeout: 5_000 })
    const { port: target } = server.address() as net.AddressInfo
    const named = bindSocket({ host: '127.0.0.1', port }).connect({ host: 'localhost', port: target, family: 4 })
    await pEvent(named, 'connect', { timeout: 5_000 })
    resetSocket(named)
    expect(contactedHosts.has(port, '127.0.0.1')).to.equal(true)

    const { raw } = openSocket({ server: { host: '127.0.0.8', port: 9 }, local: { host: '127.0.0.1', port } } as any)
    raw.on('error', () => {})
    raw.destroy()
    expect(contactedHosts.has(port, '127.0.0.8')).to.equal(true)
    expect(contactedHosts.has(port, '127.0.0.9')).to.equal(false)
  })
})
