import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { ALLOCATIONS } from '../nat-lab/index.ts'
import { ATTEMPT, LATENCY, bothReport, easy, expectDirect, hard, startPair } from './hard-pair.ts'
import { BYTES, addHomes, home, setUpInternet } from './homes.ts'
import type { Homes, Internet } from './homes.ts'
import type { Extent } from '../fixtures/extent.ts'
import type { Host, Lab, Program, ProgramEvent } from '../nat-lab/index.ts'

/**
 * With it, Bindings take so long that an ordinary punch dials before a hard one does. One
 * way, in ms
 */
const STUN_LATENCY = 100

const COUNTING = hard({ ports: ALLOCATIONS['steps of 1'] })

/**
 * All of its ports are probed
 */
const SMALL = hard({ ports: ALLOCATIONS['64 ports in a fixed order'] })

const DIALLERS: Record<Extent, Array<'hard' | 'easy'>> = {
  sample: ['hard'],
  full: ['hard', 'easy'],
  report: ['hard', 'easy']
}

describe('what a hard punch meets first', function () {
  this.timeout(120_000)

  const { create } = laboratory('all')
  let lab: Lab
  let internet: Internet

  before(async () => {
    lab = await create()
    internet = await setUpInternet(lab, { stunLatency: STUN_LATENCY })
  })

  it('an easy side whose router resets strangers goes first, and tells the next hard side so', async () => {
    const sides = { hard: COUNTING, easy: easy({ unsolicited: 'reset' }) }
    const homes = { ...internet, ...await addHomes(lab, { a: sides.hard, b: sides.easy, latency: LATENCY }) }
    const next = await home(lab, 'c', '11.3.0.1', COUNTING, LATENCY / 2)

    // its test dial shows that the router resets
    const first = await startPair(homes, sides, 'hard')
    await bothReport(first, 'hole-punch:success')
    await expectDirect(first, BYTES)
    await first.hard.stop()

    // a test dial would tell it that the router drops: then it would go first itself, and fail
    await ignoreResets(next.laptop, homes.b.routers[0].address)
    const second = { easy: first.easy, easyId: first.easyId, ...await dialEasySide(homes, next.laptop, first.easyId) }
    const upgraded = (id: string) => ({ event, peer }: ProgramEvent): boolean =>
      event === 'hole-punch:success' && peer === id
    const methods = await Promise.all([
      second.hard.happened(upgraded(second.easyId), ATTEMPT),
      second.easy.happened(upgraded(second.hardId), ATTEMPT)
    ])

    expect(methods.map(({ method }) => method)).to.deep.equal(['hard', 'hard'])
    await expectDirect(second, BYTES)
    await Promise.all([second.hard.stop(), second.easy.stop()])
  })

  // where the hard side has dialled the relayed connection, it is the initiator of the ordinary punch
  for (const [i, dialler] of byExtent(DIALLERS).entries()) {
    it(`a probe meets an ordinary dial of the hard side, and the probe's side speaks first: ${dialler} dials`,
      async () => { await meetOrdinaryDial(dialler, i + 2) })
  }

  async function meetOrdinaryDial (dialler: 'hard' | 'easy', number: number): Promise<void> {
    const homes = { ...internet, ...await addHomes(lab, { a: SMALL, b: easy(), latency: LATENCY }, number) }
    // the only SYN that leaves is that of the ordinary dial
    await onlyFirstSYN(homes.a.laptop, homes.b.routers[0].address)
    const punch = await startPair(homes, { hard: SMALL, easy: easy() }, dialler)
    const methods = await bothReport(punch, 'hole-punch:success')
    const outcomes = await bothReport(punch, 'hard-punch')

    expect(methods.map(({ method }) => method)).to.deep.equal(['punch', 'hard'])
    expect(outcomes.map(({ outcome }) => outcome)).to.deep.equal(['superseded', 'succeeded'])
    await expectDirect(punch, BYTES)
    await punch.stop()
  }
})

/**
 * A hard side at another home dials the easy side by the relay
 */
async function dialEasySide (homes: Homes, laptop: Host, easyId: string): Promise<{ hard: Program, hardId: string }> {
  const node = laptop.run('node', { ...homes.options, ...COUNTING.options })
  const { id: hardId } = await node.waitFor('started')
  node.send('dial', { address: homes.relayAddress })
  await node.happened(({ event, peer }) => event === 'identified' && peer === homes.relayId)
  node.send('dial', { address: `${homes.relayAddress}/p2p-circuit/p2p/${easyId}` })

  return { hard: node, hardId }
}

async function ignoreResets (host: Host, from: string): Promise<void> {
  await host.sh(`nft -f - <<'NFT'
table inet deaf {
  chain input {
    type filter hook input priority 0
    ip saddr ${from} tcp flags & rst == rst drop
  }
}
NFT`)
}

async function onlyFirstSYN (host: Host, to: string): Promise<void> {
  await host.sh(`nft -f - <<'NFT'
table inet mute {
  chain output {
    type filter hook output priority 0
    ip daddr ${to} tcp flags & (syn | ack) == syn limit rate over 1/hour burst 1 packets drop
  }
}
NFT`)
}
