import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { FAST, NAT_TIMEOUT, externalAddresses, lastMapping, setUpHome, toEndpoint } from '../nat-lab/home.ts'
import type { Host, Program } from '../nat-lab/index.ts'

/**
 * How many keep-alive intervals each host is watched. In each of them the routes are
 * looked up.
 */
const INTERVALS = 10

/**
 * Two connections, each made a second time
 */
const MOST_CONNECTIONS = 4

/**
 * The local address of a TCP connection may depend on more than the remote address.
 * A UDP socket, which is how the transport asks for a route, then gets another
 * answer. That must not have connections dropped again and again.
 */
describe('a host that routes TCP otherwise than UDP', function () {
  this.timeout(120_000)

  const { create } = laboratory('each')

  /**
   * Dial the announced address for some keep-alive intervals. No dial is lost, and
   * connections are not made again and again. A move from one line to the other is
   * believed once in each direction, and then the other line may be the first to have
   * an address.
   */
  async function watch (stranger: Program, program: Program, servers: Program[], addresses: number): Promise<void> {
    const { external } = lastMapping(program)
    await stranger.ask('aim', toEndpoint(external))
    await stranger.waitFor('progress', ({ dials }) => dials >= INTERVALS * FAST.keepAliveInterval / 50, 60_000)
    const { lost } = await stranger.ask('cease')
    const counters = await Promise.all(servers.map(async server => server.ask('counters')))

    expect(lost).to.equal(0)
    expect(externalAddresses(program)).to.have.length.at.most(addresses).and.not.include(undefined)
    expect(counters.reduce((sum, { accepted }) => sum + accepted, 0)).to.be.at.most(MOST_CONNECTIONS)
  }

  it('keeps its connections: a rule for its port', async () => {
    const { stranger, program, servers } = await setUpHome(await create(), {
      servers: [{}, {}],
      prepare: async ({ laptop }) => {
        await laptop.sh(`
          ip addr add 192.168.1.3/24 dev eth0
          ip route add default via 192.168.1.1 src 192.168.1.3 table 100
          ip rule add ipproto tcp sport 4001 table 100`)
      }
    })
    expect(lastMapping(program)).to.include({ state: 'mapped', local: '/ip4/192.168.1.3/tcp/4001' })
    await watch(stranger, program, servers.map(({ program }) => program), 1)
  })

  it('keeps its connections, and takes its two lines for two NATs: each connection leaves by one of them', async () => {
    const lab = await create()
    const stranger = (await lab.host('stranger', { address: '11.0.0.99' })).run('dialler')
    const nat = { filtering: 'endpoint-independent', ports: 'random', timeout: NAT_TIMEOUT } as const
    const one = await lab.router('one', { address: '11.1.0.1', ...nat })
    const two = await lab.router('two', { address: '11.2.0.1', lan: '192.168.2.1/24', ...nat })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: one })
    await laptop.join({ address: '192.168.2.2', network: two, latency: 0 })
    await laptop.sh(`
      sysctl -q -w net.ipv4.fib_multipath_hash_policy=1
      ip route add default via 192.168.1.1 table 101
      ip rule add from 192.168.1.2 table 101
      ip route add default via 192.168.2.1 table 102
      ip rule add from 192.168.2.2 table 102
      ip route replace default nexthop via 192.168.1.1 dev eth0 nexthop via 192.168.2.1 dev eth1`)
    const addresses = await Promise.all(['eth0', 'eth1'].map(async device => addressRoutedBy(laptop, device)))
    const servers = await Promise.all(addresses.map(async (address, i) => {
      const server = (await lab.host(`stun${i}`, { address })).run('stun-server', { host: address })
      await server.waitFor('listening')

      return server
    }))
    const program = laptop.run('mapping', { stunServers: addresses.map(address => `stun:${address}`), ...FAST })
    await program.waitFor('started')
    expect(lastMapping(program)).to.have.property('state', 'mapped')
    await watch(stranger, program, servers, 3)

    const clients = servers.map(server => server.events.find(({ event }) => event === 'binding')?.client.host)
    expect(clients).to.deep.equal(['11.1.0.1', '11.2.0.1'])
    expect(program.events.filter(({ state }) => state === 'endpoint-dependent')).to.be.empty()
  })
})

/**
 * An address on the internet that a connection from the listening port to a STUN
 * server would leave to by a device
 */
async function addressRoutedBy (host: Host, device: string): Promise<string> {
  for (let i = 1; i <= 32; i++) {
    const address = `11.0.1.${i}`
    const route = await host.sh(`ip route get ${address} ipproto tcp sport 4001 dport 3478`)

    if (route.includes(`dev ${device} `)) {
      return address
    }
  }

  throw new Error(`No connection would leave by ${device}`)
}
