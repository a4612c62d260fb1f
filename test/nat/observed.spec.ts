import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { lastMapping, setUpHome } from '../nat-lab/home.ts'
import type { Home, HomeInit } from '../nat-lab/home.ts'
import type { Lab } from '../nat-lab/index.ts'

/**
 * One STUN server cannot show how a NAT maps. Peers that are dialled from the port are
 * other endpoints, and report by identify what they see.
 */
describe('addresses that peers observe', function () {
  this.timeout(120_000)

  const { create } = laboratory('each')

  async function setUp (init: Partial<HomeInit>): Promise<{ home: Home, dial(i: number): Promise<void> }> {
    const lab: Lab = await create()
    // no renewals during the test
    const home = await setUpHome(lab, { servers: [{}], program: 'node', timeout: 60, ...init })

    return {
      home,
      dial: async i => {
        const address = `11.0.${i}.1`
        const peer = (await lab.host(`peer${i}`, { address })).run('node', { listen: ['/ip4/0.0.0.0/tcp/4001'] })
        const { id } = await peer.waitFor('started')
        await home.program.ask('dial', { address: `/ip4/${address}/tcp/4001/p2p/${id}` }, 'dialled')
      }
    }
  }

  it('confirm an address that only one server has reported', async () => {
    const { home, dial } = await setUp({})
    expect(lastMapping(home.program)).to.include({ state: 'mapped', behaviour: 'unknown' })

    await dial(1)
    const confirmed = await home.program.happened(
      ({ event, behaviour }) => event === 'mapping' && behaviour === 'endpoint-independent'
    )
    expect(confirmed).to.include({ state: 'mapped', external: home.external })
  })

  for (const mapping of ['address-dependent', 'address-and-port-dependent'] as const) {
    it(`shows ${mapping} mapping to a node with one server: the address is withdrawn`, async () => {
      const { home, dial } = await setUp({ mapping, filtering: 'address-and-port-dependent', ports: 'hashed' })
      // the one server cannot show it
      expect(lastMapping(home.program)).to.include({ state: 'mapped', behaviour: 'unknown' })

      for (const i of [1, 2, 3]) {
        await dial(i)
      }

      const { at } = await home.program.happened(
        ({ event, state }) => event === 'mapping' && state === 'endpoint-dependent'
      )
      await home.program.happened(
        event =>
          event.event === 'addresses' &&
          event.at >= at &&
          !event.addresses.some((address: string) => address.startsWith('/ip4/11.1.0.1/'))
      )
    })
  }
})
