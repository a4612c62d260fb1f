import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { toEndpoint } from '../nat-lab/home.ts'
import { ALL_ATTEMPTS, isConnected, meet, setUp } from './homes.ts'
import type { Filter, Side } from './homes.ts'
import type { Behaviour, Host, Lab, Program, ProgramEvent, Router } from '../nat-lab/index.ts'
import type { NodeOptions } from '../nat-lab/programs/node.ts'
import type { VerifiersOptions } from '../nat-lab/programs/verifiers.ts'

/**
 * One in each /8 that the laboratory's internet has
 */
const VERIFIERS = [4, 5, 6, 7, 8, 9, 12, 13, 14, 15].map(network => `${network}.0.0.1`)

/**
 * What takes the next verdict of AutoNAT, in ms: eight failed dials, of which some are
 * one after the other
 */
const ROUND = 60_000

const CLOSED: Behaviour[] = ['address-dependent', 'address-and-port-dependent']
const PARTNER: Side = { nat: { filtering: 'address-and-port-dependent' } }

/**
 * A system-chosen port: no earlier process has used it. An address that could not be
 * dialled is tested again by the next connection with a verifier.
 */
const HOME: Partial<NodeOptions> = {
  listen: ['/ip4/0.0.0.0/tcp/0'],
  dcutr: 'ours',
  dht: true,
  relay: true,
  verifyAgain: { failed: 1 },
  keepAliveInterval: 1_000,
  // all verifiers dial back from one host
  inboundConnectionThreshold: 100
}

interface Verifiers {
  program: Program
  addresses: string[]
}

describe('reachability', function () {
  this.timeout(300_000)

  const { create } = laboratory('each')

  async function startVerifiers (lab: Lab, autonat: VerifiersOptions['autonat']): Promise<Verifiers> {
    const host = await lab.host('verifiers', { address: '11.0.0.50' })
    await host.sh(VERIFIERS.map(address => `ip addr add ${address}/32 dev eth0`).join('; '))
    const program = host.run('verifiers', { addresses: VERIFIERS, autonat })
    const { addresses } = await program.waitFor('started')

    return { program, addresses }
  }

  /**
   * Connect to all verifiers, for the first time or again
   */
  async function round (node: Program, { addresses }: Verifiers): Promise<void> {
    for (const address of addresses) {
      const peer = multiaddr(address).getComponents().at(-1)?.value ?? ''
      await node.ask('hangUp', { peer: peerIdFromString(peer).toString() }, 'hung-up')
      await node.ask('dial', { address }, 'dialled')
    }
  }

  for (const autonat of ['v1', 'v2'] as const) {
    for (const filtering of CLOSED) {
      it(`AutoNAT ${autonat}, ${filtering} filtering: a DHT client that announces nothing, ` +
        'and is punched', async () => {
        const lab = await create()
        const homes = await setUp(lab, { a: PARTNER, b: { nat: { filtering } }, latency: 0 })
        const verifiers = await startVerifiers(lab, autonat)
        const { a, b, aId, bId } = await meet(homes, {
          a: { ...PARTNER, options: { dcutr: 'ours', autonat } },
          b: { nat: { filtering }, options: { ...HOME, autonat } }
        })
        await Promise.all([
          a.happened(isConnected(bId, false), ALL_ATTEMPTS),
          b.happened(isConnected(aId, false), ALL_ATTEMPTS)
        ])
        const { external } = await b.happened(isMapped)
        await round(b, verifiers)

        if (filtering === 'address-dependent') {
          // the partner serves AutoNAT too, and gets in, because the port has contacted it
          const dials = (): number => b.events.filter(isConnected(aId, false)).length
          await waitUntil('the partner has dialled back', () => dials() > 1, ROUND)
          expect(await probe(homes.a.laptop, external)).to.equal(undefined)
          await round(b, verifiers)
        } else {
          await b.happened(is('private'), ROUND)
        }

        expect(await a.ask('echo', { address: `/p2p/${bId}`, bytes: 10_000 }, 'echoed')).to.include({ equal: true })
        await b.ask('addresses')
        expect(b.events.filter(is('public'))).to.deep.equal([])
        expect(b.events.filter(({ addresses }) => announces(addresses, external))).to.deep.equal([])
        expect(b.events.filter(({ dht }) => dht === 'server')).to.deep.equal([])
        await Promise.all([a.stop(), b.stop()])
      })
    }

    it(`AutoNAT ${autonat}, a NAT that changes its filtering: announced and in the DHT while it ` +
      'admits strangers', async () => {
      const lab = await create()
      const homes = await setUp(lab, { a: PARTNER, b: { nat: { filtering: 'endpoint-independent' } }, latency: 0 })
      const [router] = homes.b.routers as Router[]
      const verifiers = await startVerifiers(lab, autonat)
      const node = homes.b.laptop.run('node', {
        ...homes.options,
        ...HOME,
        autonat,
        verifyAgain: { confirmed: 1, failed: 1 }
      })
      await node.waitFor('started')
      const { external } = await node.happened(isMapped)
      const follows = async (isOpen: boolean): Promise<void> => {
        const next = since(node)
        await round(node, verifiers)
        await next(is(isOpen ? 'public' : 'private'), ROUND)
        await next(({ addresses }) => addresses != null && announces(addresses, external) === isOpen, 10_000)
        await waitUntil('the DHT follows', async () =>
          (await node.ask('addresses')).dht === (isOpen ? 'server' : 'client'))
      }

      await follows(true)
      await router.setFiltering('address-and-port-dependent')
      await follows(false)
      await router.setFiltering('endpoint-independent')
      await waitUntil('the NAT has learned the mapping', async () =>
        (await router.sh('nft list map ip nat allowed_host')).includes('elements'))
      await follows(true)
      await node.stop()
    })
  }

  it('a relay server names its address to others once strangers can dial it', async () => {
    const lab = await create()
    const homes = await setUp(lab, { a: PARTNER, b: { nat: { filtering: 'endpoint-independent' } }, latency: 0 })
    const verifiers = await startVerifiers(lab, 'v2')
    const node = homes.b.laptop.run('node', { ...homes.options, ...HOME, autonat: 'v2' })
    await node.waitFor('started')
    const { external } = await node.happened(isMapped)

    /**
     * A peer that reserves a slot at every relay that it is connected with
     *
     * @returns the relayed addresses that it has by this relay
     */
    const reserve = async (address: string): Promise<string[]> => {
      const client = (await lab.host(`client-${address.replaceAll('.', '-')}`, { address })).run('node', {
        listen: ['/ip4/0.0.0.0/tcp/4001', '/p2p-circuit'],
        stock: true,
        punch: true
      })
      const { id } = await client.waitFor('started')
      await node.ask('dial', { address: `/ip4/${address}/tcp/4001/p2p/${id}` }, 'dialled')
      const { addresses } = await client.happened(({ addresses }) =>
        addresses?.some((address: string) => address.includes('/p2p-circuit')))

      return addresses.filter((address: string) => address.includes('/p2p-circuit'))
    }

    expect((await reserve('11.0.0.60')).filter(address => address.startsWith(external))).to.deep.equal([])
    await round(node, verifiers)
    await node.happened(({ addresses }) => announces(addresses, external), ROUND)
    const [relayed] = (await reserve('11.0.0.61')).filter(address => address.startsWith(external))
    const stranger = (await lab.host('stranger', { address: '11.0.0.62' })).run('node', {
      listen: [],
      stock: true,
      punch: true
    })
    await stranger.waitFor('started')
    await stranger.ask('dial', { address: relayed }, 'dialled')
    await node.stop()
  })

  it('AutoNAT servers that say "dialled" and have not dialled are not believed', async () => {
    const lab = await create()
    const homes = await setUp(lab, { a: PARTNER, b: PARTNER, latency: 0 })
    const verifiers = await startVerifiers(lab, 'lies')
    const node = homes.b.laptop.run('node', { ...homes.options, ...HOME, autonat: 'v2' })
    await node.waitFor('started')
    const { external } = await node.happened(isMapped)
    await round(node, verifiers)
    await verifiers.program.waitFor('lied')
    await round(node, verifiers)
    await node.ask('addresses')
    expect(node.events.filter(is('public'))).to.deep.equal([])
    expect(node.events.filter(({ addresses }) => announces(addresses, external))).to.deep.equal([])
    expect(node.events.filter(({ dht }) => dht === 'server')).to.deep.equal([])
    await node.stop()
  })

  it('a stranger that connects through a full cone NAT is a proof', async () => {
    const lab = await create()
    const homes = await setUp(lab, { a: PARTNER, b: { nat: { filtering: 'endpoint-independent' } }, latency: 0 })
    const stranger = await lab.host('stranger', { address: '12.0.0.9' })
    const node = homes.b.laptop.run('node', { ...homes.options, ...HOME, autonat: 'v2' })
    await node.waitFor('started')
    const { external } = await node.happened(isMapped)
    const dialler = stranger.run('dialler')
    expect((await dialler.ask('hold', toEndpoint(external))).failure).to.equal(undefined)
    expect(await node.happened(is('public'))).to.include({ reachabilitySource: 'inbound' })
    await node.happened(({ addresses }) => announces(addresses, external))
    await dialler.stop()
    await node.stop()
  })

  it('hosts that the port has contacted get in by address-dependent filtering, and prove nothing', async () => {
    const lab = await create()
    const homes = await setUp(lab, { a: PARTNER, b: { nat: { filtering: 'address-dependent' } }, latency: 0 })
    const peer = await lab.host('peer', { address: '12.0.0.9' })
    const dialled = peer.run('node', { listen: ['/ip4/0.0.0.0/tcp/4001'] })
    const { addresses } = await dialled.waitFor('started')
    // without AutoNAT, so that it dials from the listening port
    const node = homes.b.laptop.run('node', { ...homes.options, ...HOME, announce: 'never' })
    await node.waitFor('started')
    const { external } = await node.happened(isMapped)
    await node.ask('dial', {
      address: addresses.find((address: string) => address.startsWith('/ip4/127')).replace('127.0.0.1', peer.address)
    }, 'dialled')

    for (const host of [peer, homes.stun[0]]) {
      expect(await probe(host, external), host.name).to.equal(undefined)
    }

    const stranger = await lab.host('stranger', { address: '12.0.0.10' })
    expect(await probe(stranger, external)).to.equal('timeout')
    expect(node.events.filter(is('public'))).to.deep.equal([])
    await node.stop()
  })
})

/**
 * Connect by plain TCP
 *
 * @returns why that failed, if it did
 */
async function probe (host: Host, address: string): Promise<string | undefined> {
  const dialler = host.run('dialler')
  const { failure } = await dialler.ask('probe', toEndpoint(address))
  await dialler.stop()

  return failure
}

function isMapped ({ event, state }: ProgramEvent): boolean {
  return event === 'mapping' && state === 'mapped'
}

function is (reachability: string): Filter {
  return event => event.event === 'mapping' && event.reachability === reachability
}

function announces (addresses: string[] | undefined, external: string): boolean {
  return addresses?.some(address => address === external || address.startsWith(`${external}/p2p/`)) === true
}

/**
 * Wait for events from now on
 */
function since (program: Program): (filter: Filter, timeout: number) => Promise<ProgramEvent> {
  const { length } = program.events

  return async (filter, timeout) =>
    program.happened(event => program.events.indexOf(event) >= length && filter(event), timeout)
}
