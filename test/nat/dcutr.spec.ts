import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { countSYNs } from '../nat-lab/index.ts'
import { ALL_ATTEMPTS, isConnected, setUp } from './homes.ts'
import type { Side } from './homes.ts'
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
        const count = await countSYNs(homes.a.laptop, { partner: '11.9.0.0/16', other: '!= { 11.9.0.0/16, 11.0.0.0/24 }' })

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
})

/**
 * Three attempts, each with the repetitions that Linux makes in 5 s
 */
const MAX_SYNS_PER_ADDRESS = 3 * 4
