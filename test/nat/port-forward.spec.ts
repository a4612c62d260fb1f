import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { FAST, lastMapping, startServer, toEndpoint } from '../nat-lab/home.ts'
import { MINIUPNPD, isInstalled, startMiniupnpd } from '../nat-lab/index.ts'
import type { Host, Lab, MiniupnpdInit, Network, Program } from '../nat-lab/index.ts'
import type { NATOptions } from '../nat-lab/nat-options.ts'

/**
 * `@libp2p/upnp-nat` waits 5 s after a change of the addresses before it asks the router
 */
const FORWARDED = 30_000

interface PlaceInit extends NATOptions {
  /**
   * Behind which the home's router is
   */
  carrier?: NATOptions

  upnp?: MiniupnpdInit
  forward?: 'upnp' | 'nat-pmp'
  autonat?: boolean
}

/**
 * One in each of four networks, whose word makes an address dialable for AutoNAT
 */
const VERIFIERS = [4, 5, 6, 7].map(network => `${network}.0.0.1`)

interface Place {
  lab: Lab
  node: Program
  servers: Host[]
  stranger: Program
}

describe('a router that forwards ports', function () {
  this.timeout(120_000)

  const { create } = laboratory('each')

  before(function () {
    if (!isInstalled(MINIUPNPD.program)) {
      skipWithout(this, 'a router with UPnP', `apt-get install ${MINIUPNPD.package}`)
    }
  })

  /**
   * A node with `@libp2p/upnp-nat`
   */
  async function setUp (
    lab: Lab,
    { carrier, upnp, forward = 'upnp', autonat, ...nat }: PlaceInit
  ): Promise<Place> {
    const servers = [
      await lab.host('stun1', { address: '11.0.0.1' }),
      await lab.host('stun2', { address: '11.0.0.2' })
    ]
    await Promise.all(servers.map(async host => startServer(host, {})))
    const stranger = (await lab.host('stranger', { address: '11.0.0.99' })).run('dialler')
    let network: Network | undefined

    if (carrier != null) {
      network = await lab.router('carrier', { address: '11.1.0.1', lan: '100.64.0.1/24', ...carrier })
    }

    const router = await lab.router('router', { address: carrier == null ? '11.1.0.1' : '100.64.0.2', network, ...nat })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })
    await startMiniupnpd(router, upnp)
    const node = laptop.run('node', {
      listen: ['/ip4/0.0.0.0/tcp/4001'],
      stunServers: servers.map(({ address }) => `stun:${address}`),
      ...FAST,
      forward,
      autonat,
      // all verifiers dial back from one host
      inboundConnectionThreshold: 100
    })
    await node.waitFor('started')

    return { lab, node, servers, stranger }
  }

  /**
   * The public addresses that the node announces
   */
  async function announced ({ node }: Place): Promise<string[]> {
    const { addresses } = await node.ask('addresses')

    return addresses.filter((address: string) => address.startsWith('/ip4/11.')).map(withoutPeer)
  }

  async function untilAnnounced (place: Place, addresses: string[]): Promise<void> {
    await waitUntil(`${addresses} is announced`, async () => {
      const now = await announced(place)

      return now.length === addresses.length && addresses.every(address => now.includes(address))
    }, FORWARDED)
  }

  const dials = async ({ stranger }: Place, address: string): Promise<string | undefined> =>
    (await stranger.ask('probe', toEndpoint(address))).failure

  for (const forward of ['upnp', 'nat-pmp'] as const) {
    it(`${forward}: the forwarded address is announced, not the mapped one that admits nobody`, async () => {
      const place = await setUp(await create(), {
        filtering: 'address-and-port-dependent', ports: 'random', timeout: 60, forward
      })
      await untilAnnounced(place, ['/ip4/11.1.0.1/tcp/4001'])
      const { state, external } = lastMapping(place.node)

      expect(state).to.equal('mapped')
      expect(external).to.not.equal('/ip4/11.1.0.1/tcp/4001')
      expect(await dials(place, '/ip4/11.1.0.1/tcp/4001')).to.equal(undefined)
      expect(await dials(place, external)).to.equal('timeout')
      // the client of NAT-PMP keeps the process alive
      place.node.kill()
    })
  }

  it('one address that is both forwarded and mapped is announced once, and stays without STUN servers', async () => {
    const place = await setUp(await create(), {
      filtering: 'address-and-port-dependent', ports: 'preserved', timeout: 60
    })
    await waitUntil('the port is forwarded', async () =>
      (await dials(place, '/ip4/11.1.0.1/tcp/4001')) == null, FORWARDED)
    await untilAnnounced(place, ['/ip4/11.1.0.1/tcp/4001'])
    expect(lastMapping(place.node)).to.include({ state: 'mapped', external: '/ip4/11.1.0.1/tcp/4001' })

    await Promise.all(place.servers.map(async host => host.freeze()))
    await place.node.happened(({ event, state }) => event === 'mapping' && state === 'lost')
    expect(await announced(place)).to.deep.equal(['/ip4/11.1.0.1/tcp/4001'])
    await place.node.stop()
  })

  it('with AutoNAT: the forwarded address is announced once it is confirmed, the mapped one is not', async () => {
    const place = await setUp(await create(), {
      filtering: 'address-and-port-dependent', ports: 'random', timeout: 60, autonat: true
    })
    const verifiers = await place.lab.host('verifiers', { address: '11.0.0.50' })
    await verifiers.sh(VERIFIERS.map(address => `ip addr add ${address}/32 dev eth0`).join('; '))
    const { addresses } = await verifiers.run('verifiers', { addresses: VERIFIERS, autonat: 'v2' }).waitFor('started')
    await waitUntil('the port is forwarded', async () =>
      (await dials(place, '/ip4/11.1.0.1/tcp/4001')) == null, FORWARDED)
    expect(await announced(place)).to.deep.equal([])

    for (const address of addresses) {
      await place.node.ask('dial', { address }, 'dialled')
    }

    await untilAnnounced(place, ['/ip4/11.1.0.1/tcp/4001'])
    expect(lastMapping(place.node)).to.include({ state: 'mapped', reachability: 'unknown' })
    await place.node.stop()
  })

  it('a router whose own address is private forwards nothing, and the mapped address is announced', async () => {
    const open: NATOptions = { filtering: 'endpoint-independent', ports: 'random', timeout: 60 }
    const place = await setUp(await create(), { ...open, carrier: open })
    const { external } = await place.node.happened(({ event, state }) => event === 'mapping' && state === 'mapped')
    await untilAnnounced(place, [external])

    expect(await dials(place, external)).to.equal(undefined)
    await place.node.stop()
  })
})

function withoutPeer (address: string): string {
  return address.split('/p2p/')[0]
}
