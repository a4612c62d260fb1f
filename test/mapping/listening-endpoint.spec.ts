import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { PublicMapping } from '../../src/mapping/index.ts'
import { toListeningEndpoint } from '../../src/mapping/listening-endpoint.ts'
import { portSharing } from '../../src/net/port-sharing.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { mapsTo } from '../fixtures/stun-servers.ts'
import type { MappingListener } from '../../src/mapping/index.ts'

describe('the listener of a public mapping', () => {
  const { closeLater } = closesAfterEach()

  async function listening <Server extends net.Server> (server: Server, options: net.ListenOptions): Promise<Server> {
    closeLater(server)
    server.listen(options)
    await once(server, 'listening')

    return server
  }

  const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port

  describe('as an address', () => {
    const ALL = { host: '0.0.0.0', port: 4001 }
    const FORMS: Array<[MappingListener, { host: string, port: number }]> = [
      [multiaddr('/ip4/0.0.0.0/tcp/4001'), ALL],
      ['/ip4/0.0.0.0/tcp/4001', ALL],
      ['/ip6/::/tcp/4001', { host: '::', port: 4001 }],
      ['0.0.0.0:4001', ALL],
      ['192.168.1.2:4001', { host: '192.168.1.2', port: 4001 }],
      ['[::]:4001', { host: '::', port: 4001 }],
      [{ host: '0.0.0.0', port: 4001 }, ALL],
      [{ port: 4001 }, ALL]
    ]

    for (const [listener, endpoint] of FORMS) {
      it(`is ${JSON.stringify(listener)}`, () => {
        expect(toListeningEndpoint(listener)).to.deep.equal(endpoint)
      })
    }

    const REFUSED: Array<[unknown, string]> = [
      ['0.0.0.0:0', 'port 0'],
      [{ port: 0 }, 'port 0'],
      ['/ip4/0.0.0.0/tcp/0', 'port 0'],
      [{ port: 65_536 }, '1 to 65535'],
      [{ port: 1.5 }, '1 to 65535'],
      [{}, '1 to 65535'],
      ['0.0.0.0:70000', '1 to 65535'],
      ['localhost:4001', 'IP address'],
      [{ host: 'localhost', port: 4001 }, 'IP address'],
      ['/dns4/localhost/tcp/4001', 'IP address'],
      ['4001', '0.0.0.0:4001'],
      ['', '0.0.0.0:4001'],
      ['::1', '[::1]:4001'],
      ['/ip4/0.0.0.0', 'no TCP port'],
      ['/ip4/0.0.0.0/udp/4001', 'no TCP port'],
      ['/ip4/999.0.0.1/tcp/1', 'no multiaddr'],
      ['/unix/tmp%2Fx', 'no TCP port'],
      [4001, '{ port: 4001 }'],
      [undefined, '{ port: 4001 }'],
      [null, '{ port: 4001 }']
    ]

    for (const [listener, words] of REFUSED) {
      it(`cannot be ${JSON.stringify(listener)}`, () => {
        expect(() => new PublicMapping({ listener: listener as any }))
          .to.throw(words)
          .with.property('name', 'InvalidParametersError')
      })
    }
  })

  describe('as a server', () => {
    it('has the address that the server listens on', async () => {
      const server = await listening(http.createServer(), { host: '127.0.0.1', port: 0 })

      expect(toListeningEndpoint(server)).to.deep.equal({ host: '127.0.0.1', port: portOf(server) })
    })

    it('is the IPv4 port where the server accepts both IP versions, as it does by default', async function () {
      const server = await listening(net.createServer(), { port: 0, reusePort: true })

      if (server.address() == null || (server.address() as net.AddressInfo).family !== 'IPv6') {
        // a system without IPv6
        this.skip()
      }

      expect(toListeningEndpoint(server)).to.deep.equal({ host: '0.0.0.0', port: portOf(server) })
    })

    it('is the IPv6 port where the server accepts only that version', async () => {
      const server = await listening(net.createServer(), { host: '::', port: 0, ipv6Only: true })

      expect(toListeningEndpoint(server)).to.deep.equal({ host: '::', port: portOf(server) })
    })

    it('must listen already', () => {
      expect(() => new PublicMapping({ listener: net.createServer() }))
        .to.throw('\'listening\' event')
        .with.property('name', 'InvalidParametersError')
    })

    it('cannot listen on a path', async () => {
      const server = await listening(net.createServer(), { path: `\0pm-${process.pid}` })

      expect(() => new PublicMapping({ listener: server })).to.throw('no TCP port')
    })
  })

  describe('when the mapping starts', () => {
    before(function () {
      if (portSharing() === 'unsupported') {
        this.skip()
      }
    })

    it('is told that its port is not shared', async () => {
      const stun = closeLater(await mapsTo('11.0.0.1', 4001))
      const server = await listening(net.createServer(), { port: 0 })
      const mapping = closeLater(new PublicMapping({ listener: server, stunServers: [stun.uri] }))

      await expect(mapping.start()).to.eventually.be.rejected()
        .with.property('name', 'PortNotSharedError')
      const remedy = `server.listen({ port: ${portOf(server)}, reusePort: true })`
      await expect(mapping.start()).to.eventually.be.rejectedWith(remedy)
      expect(stun.accepted).to.equal(0)
    })

    it('starts at the next attempt, when the server has been mended', async () => {
      const stun = closeLater(await mapsTo('11.0.0.1', 4001))
      const server = await listening(net.createServer(), { host: '127.0.0.1', port: 0 })
      const port = portOf(server)
      const mapping = closeLater(new PublicMapping({ listener: server, stunServers: [stun.uri] }))
      await expect(mapping.start()).to.eventually.be.rejected()

      server.close()
      await once(server, 'close')
      await listening(net.createServer(), { host: '127.0.0.1', port, reusePort: true })
      expect(await mapping.start()).to.have.property('state', 'mapped')
    })

    it('maps the port of a server that accepts both IP versions', async () => {
      const stun = closeLater(await mapsTo('11.0.0.1', 4001))
      const server = await listening(http.createServer(), { port: 0, reusePort: true })
      const mapping = closeLater(new PublicMapping({ listener: server, stunServers: [stun.uri] }))
      const status = await mapping.start()

      expect(status).to.deep.include({ state: 'mapped', endpoint: { host: '11.0.0.1', port: 4001 } })
      expect('local' in status && status.local.toString()).to.equal(`/ip4/127.0.0.1/tcp/${portOf(server)}`)
    })
  })
})
