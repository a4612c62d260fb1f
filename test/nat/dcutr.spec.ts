import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { countSYNs } from '../nat-lab/index.ts'
import { ALL_ATTEMPTS, isConnected, meet, setUp } from './homes.ts'
import type { Homes, Side } from './homes.ts'
import type { NATOptions } from '../nat-lab/index.ts'
import type { Misbehaviour } from '../nat-lab/programs/hostile-partner.ts'

const RESTRICTED: NATOptions = { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' }
const OURS: Side = { nat: RESTRICTED, options: { announce: 'never' } }

/**
 * With how many addresses we may be made to dial
 */
const MISBEHAVIOURS: Record<Misbehaviour, number> = {
  rubbish: 0,
  oversized: 0,
  private: 0,
  silent: 0,
  'no-sync': 1,
  'hang-up': 0,
  thousand: 8
}
const ROLES = ['answers', 'asks']

describe('DCUtR service', function () {
  this.timeout(600_000)

  const { create } = laboratory('each')

  for (const [i, [misbehaviour, budget]] of Object.entries(MISBEHAVIOURS).entries()) {
    for (const role of process.env.FULL === 'true' ? ROLES : [ROLES[i % 2]]) {
      it(`a partner that ${role} with "${misbehaviour}" costs nothing but the upgrade`, async () => {
        const lab = await create()
        const homes = await setUp(lab, { a: OURS, b: OURS, latency: 0 })
        const stranger = await lab.host('stranger', { address: '11.0.0.20' })
        const partner = stranger.run('hostile-partner', { relay: homes.relayAddress, misbehaviour })
        const ours = homes.a.laptop.run('node', { ...homes.options, ...OURS.options, reserve: homes.relayAddress })
        const [{ id: partnerId }, { id }] = await Promise.all([partner.waitFor('started'), ours.waitFor('started')])
        await ours.happened(({ event }) => event === 'reserved')
        const count = await countSYNs(homes.a.laptop, {
          partner: '11.9.0.0/16',
          other: '!= { 11.9.0.0/16, 11.0.0.0/24 }'
        })

        if (role === 'asks') {
          ours.send('dial', { address: `${homes.relayAddress}/p2p-circuit/p2p/${partnerId}` })
          await partner.happened(({ event }) => event === 'asking')
        } else {
          partner.send('dial', { address: `${homes.relayAddress}/p2p-circuit/p2p/${id}` })
          await partner.happened(({ event }) => event === 'asked')
        }

        await ours.happened(isConnected(partnerId, true))
        expect(await ours.happened(({ event }) => event === 'hole-punch:failure', ALL_ATTEMPTS)).to.include({
          peer: partnerId
        })
        // no more than the addresses of each attempt, and the kernel's repetitions
        const { other, partner: named } = await count()
        expect(other).to.equal(0)
        expect(named).to.be.at.most(budget * MAX_SYNS_PER_ADDRESS)
        await expect(ours.ask('ping', { address: `/p2p/${partnerId}` }, 'pong')).to.eventually.be.ok()
        await Promise.all([partner.stop(), ours.stop()])
      })
    }
  }

  for (const [title, end] of Object.entries<(homes: Homes) => Promise<void>>({
    'falls silent': async ({ relayHost }) => relayHost.freeze(),
    dies: async ({ relay }) => { relay.kill() }
  })) {
    it(`a relay that ${title} in the middle of the exchange costs nothing but the upgrade`, async () => {
      const lab = await create()
      // libp2p ends a connection that is silent for longer
      const side: Side = { nat: RESTRICTED, options: { ...OURS.options, dcutrInit: { timeout: 1_000, retries: 1 } } }
      const pair = { a: side, b: side, latency: 100 }
      const homes = await setUp(lab, pair)
      const counts = await Promise.all([
        [homes.a.laptop, homes.b.routers[0].address] as const,
        [homes.b.laptop, homes.a.routers[0].address] as const
      ].map(async ([laptop, partner]) =>
        countSYNs(laptop, { partner, other: `!= { ${partner}, 11.0.0.0/24 }` })
      ))
      const { a, b, aId, bId } = await meet(homes, pair)
      // B sends CONNECT now, and A reads it half a round trip later
      await b.happened(({ event }) => event === 'hole-punch:start')
      await end(homes)
      expect(await b.happened(({ event }) => event === 'hole-punch:failure', ALL_ATTEMPTS)).to.include({ peer: aId })

      for (const count of counts) {
        const { other, partner } = await count()
        expect(other).to.equal(0)
        expect(partner).to.be.at.most(MAX_SYNS_PER_ADDRESS)
      }

      if (title === 'falls silent') {
        await homes.relayHost.thaw()

        for (const [from, to] of [[a, bId], [b, aId]] as const) {
          expect(await from.ask('echo', { address: `/p2p/${to}`, bytes: 10_000 }, 'echoed')).to.include({ equal: true })
        }
      }

      for (const node of [a, b]) {
        await expect(node.ask('addresses')).to.eventually.have.property('addresses')
        await node.stop()
        expect(node.events.at(-1)).to.include({ event: 'exit', code: 0 })
      }
    })
  }
})

/**
 * Three attempts. Each dials for 5 s, and its socket lingers for 10 more: Linux repeats a SYN
 * after 1, 2, 3, 4, 5, 7 and 11 s.
 */
const MAX_SYNS_PER_ADDRESS = 3 * 8
