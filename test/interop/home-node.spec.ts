import { expect } from 'aegir/chai'
import { buildHome, network, startPublicPeer, STUN_SERVERS } from './network.ts'
import { startPeer } from './peers.ts'
import { report } from './report.ts'
import type { PublicPeer } from './network.ts'
import type { PeerOptions } from './peers.ts'
import type { Behaviour, Host, Program } from '../nat-lab/index.ts'

const MEBIBYTE = 1_048_576

const FULL_CONE = { mapping: 'endpoint-independent', filtering: 'endpoint-independent', ports: 'hashed' } as const

describe('a home node with go-libp2p and rust-libp2p peers', function () {
  this.timeout(120_000)

  const { create } = network()

  for (const language of ['go', 'rust'] as const) {
    for (const security of ['noise', 'tls'] as const) {
      it(`is found and dialled by ${language} over ${security}, also after a change of address`, async () => {
        const { lab, stun } = await create()
        const { router, laptop } = await buildHome(lab, 'home', '11.1.0.1', FULL_CONE)
        const stranger = await startPublicPeer(lab, 'stranger', '11.0.0.9', language, { security })
        const { home, id, external } = await startHome(laptop, { security })

        // by identify
        await home.ask('dial', { address: stranger.address }, 'dialled')
        expect(await learned(stranger, id, external)).to.have.property('pushed', false)

        // by identify-push: the address changes, and is found while connected
        await Promise.all(stun.map(async host => host.freeze()))
        await router.renumber('11.1.0.2')
        await home.ask('hangUp', { peer: stranger.id }, 'hung-up')
        await home.ask('dial', { address: stranger.address }, 'dialled')
        await stranger.program.waitFor('identified', ({ peer }) => peer === id)
        await Promise.all(stun.map(async host => host.thaw()))
        const moved = await externalAddress(home, '11.1.0.2')
        expect(await learned(stranger, id, moved)).to.have.property('pushed', true)

        // and dialled from outside
        await stranger.program.ask('hangUp', { peer: id }, 'hung-up')
        await home.waitFor('disconnected')
        // go and rust dial from their listening port, and Linux NAT refuses the same
        // two ports for 10 s after a reset: forget the connection
        await router.sh('conntrack -D -d 11.0.0.9 > /dev/null 2>&1 || true')
        await dialAndEcho(stranger, home, `${moved}/p2p/${id}`, security)
        report({ scenario: 'dial the home node', peers: `${language} to js, ${security}`, attempts: 1, succeeded: 1 })
      })
    }
  }

  it('is confirmed by the AutoNAT v2 server of go behind an open NAT', async () => {
    const { home, server, external } = await meetAutoNAT('endpoint-independent')

    expect(await server.program.waitFor('autonat', ({ address }) => address?.startsWith(external))).to.include({
      response: 'OK',
      dial: 'OK'
    })
    await home.waitFor('addresses', ({ addresses }) =>
      addresses.some((address: string) => address.startsWith(external))
    )
    report({ scenario: 'AutoNAT v2 confirms', peers: 'go server, js client', attempts: 1, succeeded: 1 })
  })

  it('is refused by the AutoNAT v2 server of go behind a filtering NAT', async () => {
    const { home, server, external } = await meetAutoNAT('address-and-port-dependent')

    expect(await server.program.waitFor('autonat', ({ address }) => address?.startsWith(external), 60_000)).to.include({
      response: 'OK',
      dial: 'E_DIAL_ERROR'
    })
    expect(
      (await home.ask('addresses')).addresses.filter((address: string) => address.startsWith(external))
    ).to.be.empty()
    report({ scenario: 'AutoNAT v2 refuses', peers: 'go server, js client', attempts: 1, succeeded: 1 })
  })

  /**
   * A home node that announces only addresses confirmed by AutoNAT, and an AutoNAT
   * server
   */
  async function meetAutoNAT (filtering: Behaviour): Promise<{ home: Program, server: PublicPeer, external: string }> {
    const { lab } = await create()
    const { laptop } = await buildHome(lab, 'home', '11.1.0.1', { ...FULL_CONE, filtering })
    const server = await startPublicPeer(lab, 'server', '11.0.0.9', 'go', { autonat: true })
    const { home, external } = await startHome(laptop, { autonat: true, announce: 'dialable' })

    const { addresses } = await home.ask('addresses')
    expect(addresses.filter((address: string) => address.startsWith(external))).to.be.empty()
    home.send('dial', { address: server.address })

    return { home, server, external }
  }

  it('dials from its listening port, as go peers and a go node in its place see it', async () => {
    const { lab } = await create()
    const { laptop } = await buildHome(lab, 'home', '11.1.0.1', {
      ...FULL_CONE,
      filtering: 'address-and-port-dependent'
    })
    const peers = await Promise.all(
      [1, 2, 3, 4, 5].map(async i => startPublicPeer(lab, `peer${i}`, `11.0.1.${i}`, 'go'))
    )
    const { home, id, external } = await startHome(laptop, {})

    for (const { program, address, id: peerId } of peers) {
      home.send('dial', { address })
      expect(await program.waitFor('connected', ({ peer }) => peer === id)).to.have.property('remote', external)
      expect(await home.waitFor('identified', ({ peer }) => peer === peerId)).to.have.property('observed', external)
    }

    // go announces an address that four peers have observed: it must be the same
    await home.stop()
    const go = startPeer(laptop, 'go')
    await go.waitFor('started')
    peers.forEach(({ address }) => { go.send('dial', { address }) })
    await go.waitFor('addresses', ({ addresses }) => addresses.some((address: string) => address.startsWith(external)))
    report({
      scenario: 'dials leave from the listening port',
      peers: 'js to go, and go in its place',
      attempts: peers.length,
      succeeded: peers.length
    })
  })
})

/**
 * Start a home node and wait until it has a public address
 */
async function startHome (
  laptop: Host,
  options: PeerOptions
): Promise<{ home: Program; id: string; external: string }> {
  const home = startPeer(laptop, 'js', {
    stunServers: STUN_SERVERS,
    minReconnectInterval: 500,
    keepAliveInterval: 1_000,
    ...options
  })
  const { id } = await home.waitFor('started')

  return { home, id, external: home.events.find(({ state }) => state === 'mapped')?.external }
}

/**
 * Wait until a home node's mapping is on a public IP address
 */
async function externalAddress (home: Program, host: string): Promise<string> {
  const { external } = await home.waitFor('mapping', ({ external }) => external?.includes(`/ip4/${host}/`))

  return external
}

/**
 * Wait until a peer knows another one's address
 */
async function learned ({ program }: PublicPeer, id: string, address: string): Promise<object> {
  return program.waitFor(
    'identified',
    ({ peer, addresses }) => peer === id && addresses.some((known: string) => known.startsWith(address))
  )
}

/**
 * Dial a home node from outside, and send much both ways
 */
async function dialAndEcho (stranger: PublicPeer, home: Program, address: string, security: string): Promise<void> {
  await stranger.program.ask('dial', { address }, 'dialled')
  const connection = await home.waitFor('connected', ({ direction }) => direction === 'inbound')
  expect(connection.security).to.include(security)
  expect(connection.muxer).to.equal('/yamux/1.0.0')
  expect((await stranger.program.ask('ping', { address }, 'pong')).roundTrip).to.be.greaterThan(0)
  expect(await stranger.program.ask('echo', { address, bytes: 10 * MEBIBYTE }, 'echoed')).to.include({
    bytes: 10 * MEBIBYTE,
    equal: true
  })
  expect(await home.ask('echo', { address: `/p2p/${stranger.id}`, bytes: 10 * MEBIBYTE }, 'echoed')).to.include({
    bytes: 10 * MEBIBYTE,
    equal: true
  })
}
