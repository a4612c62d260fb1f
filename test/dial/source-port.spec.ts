import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { ConnectionTable } from '../../src/connection/connection-table.ts'
import { SourcePorts, chooseSourcePort } from '../../src/dial/source-port.ts'
import { ListeningPorts } from '../../src/listen/listening-ports.ts'
import { components } from '../fixtures/components.ts'
import type { ListeningPort } from '../../src/listen/listening-ports.ts'

const at = (host: string, port = 4001): ListeningPort => ({ host, port, family: host.includes(':') ? 6 : 4 })

describe('source port of a dial', () => {
  const ROUTED = '192.168.7.2'

  for (const { title, hosts, remote = '11.0.0.1', leavesFrom = ROUTED, expected } of [
    {
      title: 'the listener at the address that the system leaves from',
      hosts: ['172.17.0.1', ROUTED],
      expected: ROUTED
    },
    { title: 'the same one in the other order', hosts: [ROUTED, '172.17.0.1'], expected: ROUTED },
    { title: 'that listener rather than one at all addresses', hosts: ['0.0.0.0', ROUTED], expected: ROUTED },
    {
      title: 'the listener at all addresses rather than one with no route',
      hosts: ['172.17.0.1', '0.0.0.0'],
      expected: '0.0.0.0'
    },
    { title: 'none where no listener has a route', hosts: ['172.17.0.1', '127.0.0.1'], expected: undefined },
    { title: 'none where the route is unknown', hosts: [ROUTED], leavesFrom: '', expected: undefined },
    {
      title: 'the loopback listener for a loopback host',
      hosts: ['0.0.0.0', '127.0.0.1'],
      remote: '127.0.0.2',
      leavesFrom: '',
      expected: '127.0.0.1'
    },
    {
      title: 'the listener at all addresses for a loopback host, without one on loopback',
      hosts: [ROUTED, '0.0.0.0'],
      remote: '127.0.0.1',
      leavesFrom: '',
      expected: '0.0.0.0'
    }
  ] as Array<{ title: string; hosts: string[]; remote?: string; leavesFrom?: string; expected?: string }>) {
    it(`is that of ${title}`, () => {
      expect(
        chooseSourcePort(
          hosts.map(host => at(host)),
          remote,
          leavesFrom
        )?.host
      ).to.equal(expected)
    })
  }

  describe('with the routes of the system', () => {
    async function find (
      listening: ListeningPort[],
      remote: { host: string; port: number },
      leavesFrom?: string
    ): Promise<{ host?: string; asked: number }> {
      const ports = new ListeningPorts()
      listening.forEach(port => { ports.add(port) })
      let asked = 0
      const sourcePorts = new SourcePorts(components(), {
        ports,
        connections: new ConnectionTable(),
        portReuse: true,
        network: {
          localAddress: async () => {
            asked++
            return leavesFrom
          }
        }
      })
      const family = remote.host.includes(':') ? 6 : 4
      const port = await sourcePorts.find(
        multiaddr(`/ip${family}/${remote.host}/tcp/${remote.port}`),
        { ...remote, family },
        {}
      )

      return { host: port?.host, asked }
    }

    it('asks for the route only where it makes a difference', async () => {
      expect(await find([at('0.0.0.0')], { host: '11.0.0.1', port: 1 })).to.deep.equal({ host: '0.0.0.0', asked: 0 })
      expect(await find([at('127.0.0.1')], { host: '127.0.0.1', port: 1 })).to.deep.equal({
        host: '127.0.0.1',
        asked: 0
      })
      expect(await find([at('172.17.0.1'), at(ROUTED)], { host: '11.0.0.1', port: 1 }, ROUTED)).to.deep.equal({
        host: ROUTED,
        asked: 1
      })
    })

    it('uses listeners of the IP version of the remote host', async () => {
      expect(await find([at('0.0.0.0')], { host: '2a00::1', port: 1 })).to.have.property('host', undefined)
      expect(await find([at('0.0.0.0'), at('::')], { host: '2a00::1', port: 1 })).to.have.property('host', '::')
    })

    it('never makes TCP connect to itself, but uses another listener', async () => {
      expect(await find([at('0.0.0.0')], { host: '127.0.0.1', port: 4001 })).to.have.property('host', undefined)
      expect(await find([at('0.0.0.0'), at('0.0.0.0', 4002)], { host: '127.0.0.1', port: 4001 })).to.have.property(
        'host',
        '0.0.0.0'
      )
    })
  })
})
