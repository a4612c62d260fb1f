import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { startServer } from '../nat-lab/home.ts'
import { runExample, said } from './example.ts'
import type { Host, Lab, NATOptions } from '../nat-lab/index.ts'

const SERVERS = ['11.0.0.1', '11.0.0.2']
const FILTERING: NATOptions = { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' }

describe('the example of a home node', function () {
  this.timeout(120_000)

  const { create } = laboratory('each')

  /**
   * A peer that is always there, as those of the IPFS network are: a relay, a server of
   * the DHT and of AutoNAT
   */
  async function startBootstrapPeer (lab: Lab): Promise<string> {
    const host = await lab.host('bootstrap', { address: '11.0.0.9' })
    const peer = host.run('node', {
      listen: ['/ip4/11.0.0.9/tcp/4001'],
      stunServers: SERVERS.map(address => `stun:${address}`),
      relay: true,
      autonat: true,
      dht: true
    })
    const { id } = await peer.waitFor('started')

    return `/ip4/11.0.0.9/tcp/4001/p2p/${id}`
  }

  async function home (lab: Lab, name: string, address: string): Promise<Host> {
    const network = await lab.router(`router-${name}`, { address, ...FILTERING })

    return lab.host(`laptop-${name}`, { address: '192.168.1.2', network })
  }

  it('finds another home by the DHT, meets it at a relay, and punches to it', async () => {
    const lab = await create()

    for (const address of SERVERS) {
      await startServer(await lab.host(`stun${address.at(-1)}`, { address }), {})
    }

    const options = [
      '--bootstrap', await startBootstrapPeer(lab),
      ...SERVERS.flatMap(address => ['--stun', `stun:${address}`])
    ]
    const a = runExample(await home(lab, 'a', '11.1.0.1'), 'home-node/index.js', ...options)
    const [external] = await said(a, /public address (\/ip4\/11\.1\.0\.1\/tcp\/\d+), not tested/)
    const [id] = await said(a, /^I am (\w+)$/)
    await said(a, /^reachable through a relay: /)

    const b = runExample(await home(lab, 'b', '11.2.0.1'), 'home-node/index.js', ...options, id)
    const [addresses] = await said(b, new RegExp(`^the DHT knows ${id} at (.*)$`))
    expect(addresses).to.include('/p2p-circuit')
    // nobody has proved that strangers can dial it
    expect(addresses).to.not.include(external)

    await said(b, new RegExp(`^connected to ${id} through a relay: `))
    await said(b, new RegExp(`^connected to ${id} directly: ${external}`))
    const [other] = await said(a, /^punched to (\w+) in \d+ ms: \/ip4\/11\.2\.0\.1\//)
    expect(await said(b, /^I am (\w+)$/)).to.deep.equal([other])

    await Promise.all([a.stop(), b.stop()])
  })
})
