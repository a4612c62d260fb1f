import net from 'node:net'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindSocket, inodeOf } from '../../src/net/bound-socket.ts'
import { listListeningSockets, parseRow, takesFrom, toListeningSocket } from '../../src/net/listening-sockets.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { ListeningSocket } from '../../src/net/listening-sockets.ts'

const EVENT = { timeout: 5_000 }

/**
 * So many that two sockets that share them equally both get some
 */
const CONNECTIONS = 40

/**
 * The rest of a row, from its queues on
 */
const TAIL = '00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0'

describe('listening sockets', () => {
  const { closeLater } = closesAfterEach()

  for (const { what, row, family, order, address } of [
    { what: 'an IPv4 address', row: '0100007F:0FA1 00000000:0000', family: 4, order: 'LE', address: '127.0.0.1' },
    { what: 'an IPv4 address of a big-endian machine', row: '7F000001:0FA1 00000000:0000', family: 4, order: 'BE', address: '127.0.0.1' },
    { what: 'the unspecified IPv4 address', row: '00000000:0FA1 00000000:0000', family: 4, order: 'LE', address: '0.0.0.0' },
    { what: 'an IPv6 address', row: 'B80D0120000000000000000001000000:0FA1 00000000000000000000000000000000:0000', family: 6, order: 'LE', address: '2001:db8::1' },
    { what: 'an IPv6 address of a big-endian machine', row: '20010DB8000000000000000000000001:0FA1 00000000000000000000000000000000:0000', family: 6, order: 'BE', address: '2001:db8::1' },
    { what: 'an IPv4-mapped address', row: '0000000000000000FFFF00000100007F:0FA1 00000000000000000000000000000000:0000', family: 6, order: 'LE', address: '::ffff:127.0.0.1' }
  ] as const) {
    it(`reads ${what} from a row of the kernel's table`, () => {
      const expected = { ...toListeningSocket(address, 4001, 4711), family }

      expect(parseRow(`   0: ${row} 0A ${TAIL}`, family, order)).to.deep.equal(expected)
    })
  }

  it('reads neither the heading nor a connection', () => {
    expect(parseRow('  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode', 4)).to.be.undefined()
    expect(parseRow(`   1: 0100007F:0FA1 0100007F:BC74 01 ${TAIL}`, 4)).to.be.undefined()
  })

  describe('on Linux', () => {
    before(function () {
      if (process.platform !== 'linux') {
        this.skip()
      }
    })

    /**
     * A server that listens on a shared port, and the sockets that it accepts
     */
    async function share (host: string, port: number, ipv6Only = false): Promise<{ server: net.Server, accepted: net.Socket[] }> {
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

        expect(await find(server)).to.deep.equal(toListeningSocket(address, port, inodeOf(server) ?? 0))
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

        await waitUntil('all connections are accepted', () => first.accepted.length + second.accepted.length === CONNECTIONS)

        expect(takesFrom(await find(first.server), await find(second.server))).to.equal(second.accepted.length > 0)
      })
    }
  })
})
