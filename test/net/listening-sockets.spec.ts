import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindSocket, inodeOf } from '../../src/net/bound-socket.ts'
import { listListeningSockets, parseRow, takesFrom, toListeningSocket } from '../../src/net/listening-sockets.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { ListeningSocket } from '../../src/net/listening-sockets.ts'

const EVENT = { timeout: 20_000 }

/**
 * So many that two sockets that share them equally both get some
 */
const CONNECTIONS = 40

/**
 * The rest of a row, from its queues on
 */
const TAIL = '00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0'

/**
 * A server that listens on a shared port, and the sockets that it accepts
 */
interface SharedServer {
  server: net.Server
  accepted: net.Socket[]
}

describe('listening sockets', () => {
  const { closeLater } = closesAfterEach()

  for (const { what, local, family, order, address } of [
    { what: 'an IPv4 address', local: '0100007F', family: 4, order: 'LE', address: '127.0.0.1' },
    { what: 'a big-endian IPv4 address', local: '7F000001', family: 4, order: 'BE', address: '127.0.0.1' },
    { what: 'the unspecified IPv4 address', local: '00000000', family: 4, order: 'LE', address: '0.0.0.0' },
    {
      what: 'an IPv6 address',
      local: 'B80D0120000000000000000001000000',
      family: 6,
      order: 'LE',
      address: '2001:db8::1'
    },
    {
      what: 'a big-endian IPv6 address',
      local: '20010DB8000000000000000000000001',
      family: 6,
      order: 'BE',
      address: '2001:db8::1'
    },
    {
      what: 'an IPv4-mapped address',
      local: '0000000000000000FFFF00000100007F',
      family: 6,
      order: 'LE',
      address: '::ffff:127.0.0.1'
    }
  ] as const) {
    it(`reads ${what} from a row of the kernel's table`, () => {
      const row = `   0: ${local}:0FA1 ${'0'.repeat(local.length)}:0000 0A ${TAIL}`

      expect(parseRow(row, family, order)).to.deep.equal({
        ...toListeningSocket(address, 4001, 4711),
        family,
        uid: 1_000
      })
    })
  }

  it('reads neither the heading nor a connection', () => {
    const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'

    expect(parseRow(heading, 4)).to.be.undefined()
    expect(parseRow(`   1: 0100007F:0FA1 0100007F:BC74 01 ${TAIL}`, 4)).to.be.undefined()
  })

  describe('on Linux', () => {
    before(function () {
      if (process.platform !== 'linux') {
        this.skip()
      }
    })

    async function share (host: string, port: number, ipv6Only = false): Promise<SharedServer> {
      const accepted: net.Socket[] = []
      const server = closeLater(net.createServer(socket => {
        accepted.push(socket)
        socket.on('error', () => {})
      }))
      bindSocket({ host, port, ipv6Only }).listen(server)
      await pEvent(server, 'listening', EVENT)

      return { server, accepted }
    }

    function connect (port: number, host: string): void {
      const socket = net.connect(port, host)
      closeLater({ close: () => socket.destroy() })
    }

    async function find (server: net.Server): Promise<ListeningSocket> {
      const listed = (await listListeningSockets()).find(({ inode }) => inode === inodeOf(server))

      if (listed == null) {
        throw new Error('The kernel does not list the server')
      }

      return listed
    }

    it('lists a server as Node describes it, also while there are connections', async () => {
      for (const host of ['127.0.0.1', '::1', '0.0.0.0', '::']) {
        const { server, accepted } = await share(host, 0)
        const { address, port } = server.address() as net.AddressInfo
        connect(port, net.isIPv4(host) ? '127.0.0.1' : '::1')
        await waitUntil('the server accepts', () => accepted.length === 1)

        expect(await find(server)).to.deep.equal({
          ...toListeningSocket(address, port, inodeOf(server) ?? 0),
          uid: process.getuid?.()
        })
      }
    })

    for (const { own, other, to } of [
      { own: '127.0.0.1', other: '127.0.0.1', to: '127.0.0.1' },
      { own: '0.0.0.0', other: '0.0.0.0', to: '127.0.0.1' },
      { own: '0.0.0.0', other: '127.0.0.1', to: '127.0.0.1' },
      { own: '0.0.0.0', other: '::ffff:127.0.0.1', to: '127.0.0.1' },
      { own: '0.0.0.0', other: '::', to: '127.0.0.1' },
      { own: '127.0.0.1', other: '0.0.0.0', to: '127.0.0.1' },
      { own: '127.0.0.1', other: '::', to: '127.0.0.1' },
      { own: '127.0.0.1', other: '::ffff:127.0.0.1', to: '127.0.0.1' },
      { own: '127.0.0.1', other: '127.0.0.2', to: '127.0.0.1' },
      { own: '::', other: '::1', to: '::1' },
      { own: '::1', other: '::1', to: '::1' },
      { own: '::1', other: '::', to: '::1' },
      { own: '::', other: '0.0.0.0', to: '::1' }
    ]) {
      it(`foresees whether the kernel hands connections of ${own} to a socket at ${other}`, async () => {
        const first = await share(own, 0, true)
        const { port } = first.server.address() as net.AddressInfo
        const second = await share(other, port)

        for (let i = 0; i < CONNECTIONS; i++) {
          connect(port, to)
        }

        const sockets = [first.accepted, second.accepted]
        await waitUntil('all connections are accepted', () => sockets.flat().length === CONNECTIONS)

        expect(takesFrom(await find(first.server), await find(second.server))).to.equal(second.accepted.length > 0)
      })
    }
  })
})
