import { expect } from 'aegir/chai'
import { checkOffer, checkPorts, checkStart } from '../../../src/dcutr/hard/offer.ts'
import { DEFAULT_BUDGET, WIDE_BUDGET } from '../../../src/dcutr/hard/plan.ts'
import type { Reason } from '../../../src/dcutr/hard/errors.ts'
import type { Offer, Start } from '../../../src/dcutr/hard/message-types.ts'
import type { Facts } from '../../../src/dcutr/hard/offer.ts'

const OWN: Facts['own'] = {
  side: 'easy',
  local: { host: '0.0.0.0', port: 4_001, family: 4 },
  external: { host: '5.6.7.8', port: 4_001 },
  servers: ['9.9.9.9', 'stun.example.org']
}
const FACTS: Facts = { own: OWN, announced: [], relay: '8.8.8.8' }
const OFFER: Offer = {
  type: 'offer',
  host: '1.2.3.4',
  ranges: [{ from: 40_960, to: 41_471 }],
  connects: 32,
  probes: 64
}
const START: Start = { type: 'start', order: 'hard-first', ranges: OFFER.ranges, roundTrip: 40 }

const REFUSED: Array<[title: string, offer: Partial<Offer>, facts: Partial<Facts>, reason: Reason]> = [
  ['where both are hard', {}, { own: { side: 'hard', mapping: {} as any, servers: [] } }, 'both-hard'],
  ['where this node knows no address of its own', {}, { own: undefined }, 'no-address'],
  ['of the same address', { host: '5.6.7.8' }, {}, 'same-address'],
  ['of the address of the relay', { host: '8.8.8.8' }, {}, 'foreign-address'],
  ['of the address of a STUN server', { host: '9.9.9.9' }, {}, 'foreign-address'],
  ['of another address than the peer announces', {}, { announced: ['1.2.3.5', '1.2.3.6'] }, 'foreign-address'],
  ['without connects', { connects: 0 }, {}, 'bad-ports'],
  ['of 257 connects', { connects: 257 }, {}, 'bad-ports'],
  ['of 2^40 connects', { connects: 2 ** 40 }, {}, 'bad-ports'],
  ['without probes', { probes: 0 }, {}, 'bad-ports'],
  ['of a port below 1024', { ranges: [{ from: 22, to: 40 }] }, {}, 'bad-ports'],
  ['of ranges that overlap', { ranges: [...OFFER.ranges, ...OFFER.ranges] }, {}, 'bad-ports'],
  ['of all ports', { ranges: [{ from: 1_024, to: 65_535 }] }, {}, 'too-many-ports'],
  [
    'of all ports, with all connects',
    { ranges: [{ from: 1_024, to: 65_535 }], connects: 64, probes: 2 ** 40 },
    {},
    'too-many-ports'
  ],
  ['of a few connects in a large block', { ranges: [{ from: 40_000, to: 44_095 }], connects: 4 }, {}, 'too-many-ports']
]

const NOT_GLOBAL = [
  '10.0.0.1', '192.168.1.1', '172.16.0.1', '100.64.0.1', '127.0.0.1', '169.254.1.1', '224.0.0.1', '239.255.255.250',
  '255.255.255.255', '240.0.0.1', '0.0.0.0', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1'
]

/**
 * The two checks of an offer
 */
function check (offer: Offer, facts: Facts, budget = DEFAULT_BUDGET): unknown {
  const own = checkOffer(offer, facts)
  checkPorts(offer.ranges, offer, budget)

  return own
}

describe('hard punch offer', () => {
  it('accepts one, with our endpoint', () => {
    expect(check(OFFER, FACTS)).to.equal(OWN)
    expect(check({ ...OFFER, ranges: [] }, FACTS)).to.equal(OWN)
    expect(check(OFFER, { ...FACTS, announced: ['1.2.3.9', '1.2.3.4'] })).to.equal(OWN)
  })

  it('accepts more connects than probes: they cost the peer', () => {
    const wide = { ...OFFER, ranges: [{ from: 40_960, to: 43_007 }], connects: 128, probes: 1_024 }
    expect(check(wide, FACTS)).to.equal(OWN)
  })

  it('accepts all ports where 1024 probes are allowed', () => {
    const ranges = [{ from: 1_024, to: 65_535 }]

    expect(check({ ...OFFER, ranges, connects: 256, probes: 1_024 }, FACTS, WIDE_BUDGET)).to.equal(OWN)
  })

  for (const [title, offer, facts, reason] of REFUSED) {
    it(`refuses one ${title}: ${reason}`, () => {
      expect(() => { check({ ...OFFER, ...offer }, { ...FACTS, ...facts }) }).to.throw().with.property('reason', reason)
    })
  }

  for (const host of NOT_GLOBAL) {
    it(`refuses ${host}`, () => {
      expect(() => { check({ ...OFFER, host }, FACTS) }).to.throw().with.property('reason', 'bad-address')
    })
  }

  it('checks the ports of the start again', () => {
    expect(() => { checkStart(START, OFFER, DEFAULT_BUDGET) }).to.not.throw()

    for (const [ranges, reason] of [
      [[], 'bad-ports'],
      [[{ from: 1, to: 64 }], 'bad-ports'],
      [[{ from: 1_024, to: 65_535 }], 'too-many-ports']
    ] as const) {
      expect(() => { checkStart({ ...START, ranges: [...ranges] }, { ...OFFER, ranges: [] }, DEFAULT_BUDGET) })
        .to.throw().with.property('reason', reason)
    }
  })
})
