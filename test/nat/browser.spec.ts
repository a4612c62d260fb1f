import { spawnSync } from 'node:child_process'
import { expect } from 'aegir/chai'
import { createAuthority } from '../fixtures/authority.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import { FAST } from '../nat-lab/home.ts'
import type { Program } from '../child/program.ts'
import type { Authority } from '../fixtures/authority.ts'
import type { Behaviour, Lab } from '../nat-lab/index.ts'

const EXTERNAL = '11.1.0.1'
const SERVERS = ['11.0.0.1', '11.0.0.2']
const LISTEN = ['/ip4/0.0.0.0/tcp/4001']
const NAME = '11-1-0-1.k51qzi5uqu5dtest.libp2p.direct'

/**
 * Chromium needs some seconds to start on a busy machine, in ms
 */
const START = 60_000

describe('a page in Chromium and a node at home', function () {
  this.timeout(120_000)

  const { create } = laboratory('each')
  let authority: Authority

  before(function () {
    if (spawnSync('chromium', ['--version']).status !== 0) {
      skipWithout(this, 'the tests with a browser', 'chromium')
    }

    authority = createAuthority()
  })

  after(() => { authority?.close() })

  interface Scene {
    home: Program
    homeId: string
    page: Program

    /**
     * The circuit relay at which the node at home has reserved a slot, by WebSocket
     */
    relay: string
  }

  async function setUp (filtering: Behaviour, secure: boolean): Promise<Scene> {
    const lab = await create()

    for (const [i, address] of SERVERS.entries()) {
      const server = (await lab.host(`stun${i}`, { address })).run('stun-server', { host: address })
      await server.waitFor('listening')
    }

    const relay = (await lab.host('relay', { address: '11.0.0.3' })).run('node', {
      listen: LISTEN,
      stunServers: [],
      relay: true,
      webSockets: true
    })
    const { id: relayId } = await relay.waitFor('started')
    const router = await lab.router('router', { address: EXTERNAL, filtering, ports: 'random' })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })
    const home = laptop.run('node', {
      listen: LISTEN,
      stunServers: SERVERS.map(address => `stun:${address}`),
      reserve: `/ip4/11.0.0.3/tcp/4001/p2p/${relayId}`,
      webSockets: true,
      ...FAST
    })
    const { id: homeId } = await home.waitFor('started')
    await home.happened(({ event }) => event === 'reserved')
    const page = await openPage(lab, secure)

    return { home, homeId, page, relay: `/ip4/11.0.0.3/tcp/4001/ws/p2p/${relayId}` }
  }

  async function openPage (lab: Lab, secure: boolean): Promise<Program> {
    const laptop = await lab.host('elsewhere', { address: '11.0.0.9' })
    const page = laptop.run('browser', {
      trusted: authority.fingerprint,
      names: { [NAME]: EXTERNAL },
      ...(secure && { certificate: authority.issue('localhost') })
    })
    expect((await page.waitFor('page', undefined, START)).origin).to.match(secure ? /^https:/ : /^http:/)

    return page
  }

  /**
   * The external addresses that the node announces
   */
  async function announced (home: Program, pattern: RegExp): Promise<string> {
    const { addresses } = await home.happened(
      ({ addresses }) => addresses?.some((address: string) => pattern.test(address)) === true
    )

    return addresses.find((address: string) => pattern.test(address))
  }

  it('dials through the mapping of a full cone NAT by ws', async () => {
    const { home, homeId, page } = await setUp('endpoint-independent', false)
    const address = await announced(home, new RegExp(`^/ip4/${EXTERNAL}/tcp/\\d+/ws/p2p/${homeId}$`))
    const dialled = await page.ask('dial', { address }, 'dialled')

    expect(dialled).to.include({ relayed: false, peer: homeId })
    expect(address).to.include(dialled.remote)
  })

  it('dials by wss from a page on https, with the certificate and the name that AutoTLS has', async () => {
    const { home, homeId, page } = await setUp('endpoint-independent', true)
    home.send('certificate', { ...authority.issue(NAME), name: NAME, address: EXTERNAL })
    const address = await announced(
      home,
      new RegExp(`^/ip4/${EXTERNAL}/tcp/\\d+/tls/sni/${NAME}/ws/p2p/${homeId}$`)
    )
    const dialled = await page.ask('dial', { address }, 'dialled')

    expect(dialled).to.include({ relayed: false, peer: homeId })
  })

  it('is relayed behind a NAT that filters, and is told so', async () => {
    const { homeId, page, relay } = await setUp('address-and-port-dependent', false)
    const dialled = await page.ask('dial', { address: `${relay}/p2p-circuit/p2p/${homeId}` }, 'dialled')

    expect(dialled).to.include({ relayed: true, peer: homeId })
  })
})
