import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { skipWithout } from '../fixtures/missing-tool.ts'
import { Lab, labSupport } from '../nat-lab/index.ts'

/**
 * How often: `RUNS=10 npm run test:nat`
 */
const RUNS = Number(process.env.RUNS ?? 1)

describe('a home node behind a full cone NAT', function () {
  this.timeout(120_000)

  let current: Lab | undefined

  before(function () {
    const support = labSupport()

    if (support.supported) {
      return
    }

    skipWithout(this, 'the NAT laboratory', support.missing)
  })

  afterEach(async () => {
    await current?.close()
    current = undefined
  })

  async function scenario (): Promise<void> {
    const lab = current = await Lab.create()
    const stun1 = await lab.host('stun1', { address: '11.0.0.1' })
    const stun2 = await lab.host('stun2', { address: '11.0.0.2' })
    const outside = await lab.host('outside', { address: '11.0.0.3' })
    const router = await lab.router('router', {
      address: '11.1.0.1',
      mapping: 'endpoint-independent',
      filtering: 'endpoint-independent',
      ports: 'hashed'
    })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })

    const servers = [stun1, stun2].map(host => host.run('stun-server', { host: host.address }))
    await Promise.all(servers.map(async server => server.waitFor('listening')))
    const peer = outside.run('node', { listen: ['/ip4/0.0.0.0/tcp/4001'] })
    const { id: peerId } = await peer.waitFor('started')

    // the home node gets its public address
    const home = laptop.run('node', {
      listen: ['/ip4/0.0.0.0/tcp/4001'],
      stunServers: ['stun:11.0.0.1', 'stun:11.0.0.2']
    })
    const { id: homeId, addresses } = await home.waitFor('started')
    const external: string = addresses.find((address: string) => address.startsWith('/ip4/11.1.0.1/tcp/'))
    expect(external).to.not.equal(undefined, `announced only ${addresses.join(' ')}`)
    expect(external).to.not.include('/tcp/4001/')
    expect(
      await home.happened(({ event, behaviour }) => event === 'mapping' && behaviour === 'endpoint-independent')
    ).to.include({ state: 'mapped', local: '/ip4/192.168.1.2/tcp/4001' })
    const [, externalPort] = multiaddr(external).getComponents()
    expect((await servers[0].waitFor('binding')).client).to.deep.equal({
      host: '11.1.0.1',
      port: Number(externalPort.value)
    })

    // it connects to a stock peer once, which learns the address and sees it as the
    // source of the dial
    home.send('dial', { address: `/ip4/11.0.0.3/tcp/4001/p2p/${peerId}` })
    await home.waitFor('dialled')
    expect(await peer.waitFor('connected')).to.include({ direction: 'inbound', remote: external })
    const identified = await peer.waitFor('identified')
    expect(identified.addresses).to.include(external.replace(/\/p2p\/.*/, ''))
    home.send('hangUp', { peer: peerId })
    await peer.waitFor('disconnected')

    // which then dials from outside
    peer.send('echo', { address: external, bytes: 1_048_576 })
    expect(await peer.waitFor('echoed')).to.include({ bytes: 1_048_576, equal: true })
    expect(await home.waitFor('connected', ({ direction }) => direction === 'inbound'))
      .to.have.property('remote')
      .that.includes('/ip4/11.0.0.3/')
    peer.send('hangUp', { peer: homeId })
    await peer.waitFor('hung-up')

    // because of the mapping: without the node the port is closed after a reboot
    await home.stop()
    await router.reboot()
    peer.send('dial', { address: external, timeout: 5_000 })
    const failed = await peer.waitFor('dialled').catch(err => err)
    expect(failed).to.have.property('name', 'ProgramError')
    expect(failed.message).to.include('failed')
  }

  for (let run = 1; run <= RUNS; run++) {
    it(
      'is dialled from outside by a stock peer that learned its address from identify' +
        (RUNS > 1 ? ` (${run} of ${RUNS})` : ''),
      scenario
    )
  }
})
