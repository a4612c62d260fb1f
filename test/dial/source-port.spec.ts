import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { ConnectionTable } from '../../src/connection/connection-table.ts'
import { SourcePorts, chooseSourcePort } from '../../src/dial/source-port.ts'
import { ListeningPorts } from '../../src/listen/listening-ports.ts'
import { components } from '../fixtures/components.ts'
import type { ListeningPort } from '../../src/listen/listening-ports.ts'
import type { Connection } from '@libp2p/interface'

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
    interface Situation {
      leavesFrom?: string
      isOpen?: boolean
      isOnLink?: boolean

      /**
       * The peer that is dialled, and its connections
       */
      peer?: string
      connections?: Array<Partial<Connection>>
      initiator?: boolean
    }

    async function find (
      listening: ListeningPort[],
      remote: { host: string; port: number },
      { leavesFrom, isOpen, isOnLink = false, peer, connections = [], initiator }: Situation = {}
    ): Promise<{ host?: string; asked: number }> {
      const ports = new ListeningPorts()
      listening.forEach(port => {
        ports.add(port)
        ports.setOpen(port, isOpen)
      })
      let asked = 0
      const connectionManager = { getConnections: () => connections as any }
      const sourcePorts = new SourcePorts(components({ connectionManager }), {
        ports,
        connections: new ConnectionTable(),
        portReuse: true,
        network: {
          localAddress: async () => {
            asked++
            return leavesFrom
          }
        },
        isOnLink: () => isOnLink
      })
      const family = remote.host.includes(':') ? 6 : 4
      const port = await sourcePorts.find(
        multiaddr(`/ip${family}/${remote.host}/tcp/${remote.port}${peer == null ? '' : `/p2p/${peer}`}`),
        { ...remote, family },
        { initiator }
      )

      return { host: port?.host, asked }
    }

    const REMOTE = { host: '11.0.0.1', port: 1 }

    it('asks for the route only where it makes a difference', async () => {
      expect(await find([at('0.0.0.0')], REMOTE, { isOpen: false })).to.deep.equal({ host: '0.0.0.0', asked: 0 })
      expect(await find([at('0.0.0.0')], REMOTE, { leavesFrom: ROUTED })).to.deep.equal({ host: '0.0.0.0', asked: 1 })
      expect(await find([at('127.0.0.1')], { host: '127.0.0.1', port: 1 })).to.deep.equal({
        host: '127.0.0.1',
        asked: 0
      })
      expect(await find([at('172.17.0.1'), at(ROUTED)], REMOTE, { leavesFrom: ROUTED })).to.deep.equal({
        host: ROUTED,
        asked: 1
      })
    })

    const PEER = '12D3KooWEfVVqQuD6ZcuwkKUNy5CyVt9L7ZCPwzkRHdqXPKfXhPQ'
    const RELAYED: any = {
      remoteAddr: multiaddr(`/ip4/11.0.0.9/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${PEER}`),
      remotePeer: { toString: () => PEER },
      streams: []
    }
    const PUNCHED = { ...RELAYED, streams: [{ protocol: '/libp2p/dcutr', direction: 'inbound' }] }

    for (const { title, situation, from = ['0.0.0.0'], to = '11.0.0.1', isFresh } of [
      { title: 'a private address behind a router', situation: { leavesFrom: ROUTED }, isFresh: false },
      { title: 'a public IPv4 address', situation: { leavesFrom: '11.0.0.2' }, isFresh: true },
      {
        title: 'a public IPv4 address that a NAT translates',
        situation: { leavesFrom: '11.0.0.2', isOpen: false },
        isFresh: false
      },
      { title: 'an address that strangers can dial', situation: { isOpen: true }, isFresh: true },
      { title: 'an IPv6 address', from: ['::'], to: '2a00::1', situation: { leavesFrom: '2a00::2' }, isFresh: false },
      { title: 'the network of the remote host', situation: { leavesFrom: ROUTED, isOnLink: true }, isFresh: true },
      {
        title: 'a public address, to a peer that is connected by a relay only',
        situation: { leavesFrom: '11.0.0.2', isOnLink: true, peer: PEER, connections: [RELAYED] },
        isFresh: false
      },
      {
        title: 'a public address, while a punch is under way',
        situation: { leavesFrom: '11.0.0.2', connections: [PUNCHED] },
        isFresh: false
      },
      {
        title: 'a public address, as part of a punch',
        situation: { leavesFrom: '11.0.0.2', initiator: false },
        isFresh: false
      }
    ] as Array<{ title: string, situation: Situation, from?: string[], to?: string, isFresh: boolean }>) {
      it(`is ${isFresh ? 'a fresh one' : 'that of the listener'} from ${title}`, async () => {
        const { host } = await find(from.map(host => at(host)), { host: to, port: 1 }, situation)
        expect(host).to.equal(isFresh ? undefined : from[0])
      })
    }

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
