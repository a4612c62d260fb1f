import { expect } from 'aegir/chai'
import { DEFAULT_BUDGET, WIDE_BUDGET, planPunch, portsAfter } from '../../../src/dcutr/hard/plan.ts'
import type { PortPrediction } from '../../../src/dcutr/hard/port-prediction.ts'

const block = (size: number): PortPrediction => ({ type: 'block', ranges: [{ from: 40_960, to: 40_960 + size - 1 }] })

/**
 * The NAT, the budget, and what is planned: connects, probes, chance in percent
 */
const PLANS: Array<[title: string, PortPrediction, wide: boolean, connects: number, probes: number, chance: number]> = [
  ['preserved', { type: 'preserved' }, false, 4, 4, 100],
  ['sequential', { type: 'sequential', step: 2 }, false, 4, 64, 100],
  ['a block of 240', block(240), false, 15, 64, 99],
  ['a block of 512', block(512), false, 32, 64, 99],
  ['a block of 1024', block(1_024), false, 64, 64, 99],
  ['a block of 2048', block(2_048), false, 64, 64, 87],
  ['a block of 2048, wide', block(2_048), true, 128, 1_024, 100],
  ['a block of 512, wide, which costs no more', block(512), true, 32, 64, 99],
  ['32768 to 60999, wide', { type: 'wide', from: 32_768, to: 60_999 }, true, 256, 1_024, 100],
  ['all ports, wide', { type: 'wide', from: 1_024, to: 65_535 }, true, 256, 1_024, 98]
]

describe('hard punch plan', () => {
  for (const [title, prediction, wide, connects, probes, chance] of PLANS) {
    it(`${title}: ${connects} connects, ${probes} probes, ${chance} %`, () => {
      const plan = planPunch(prediction, wide ? [DEFAULT_BUDGET, WIDE_BUDGET] : [DEFAULT_BUDGET])

      expect(plan).to.include({ connects, probes })
      expect(Math.round(plan.chance * 100)).to.equal(chance)
    })
  }

  for (const [title, prediction] of Object.entries<PortPrediction>({
    '32768 to 60999': { type: 'wide', from: 32_768, to: 60_999 },
    'all ports': { type: 'wide', from: 1_024, to: 65_535 },
    'a block so small that the household would run out of ports': block(15),
    'a NAT of which nothing is known': { type: 'unknown', reason: 'no samples' }
  })) {
    it(`gives up before it begins: ${title}`, () => {
      expect(() => planPunch(prediction, [DEFAULT_BUDGET])).to.throw().with.property('reason', 'too-many-ports')
    })
  }

  it('never takes more than a sixteenth of a range', () => {
    for (let size = 16; size <= 64_512; size += 97) {
      try {
        const { connects } = planPunch({ type: 'block', ranges: [{ from: 1_024, to: 1_023 + size }] }, [WIDE_BUDGET])
        expect(connects).to.be.at.most(size / 16)
      } catch (err: any) {
        expect(err.name).to.equal('HardPunchError')
      }
    }
  })

  it('the next ports of a sequential NAT stay within the ports that there are', () => {
    expect(portsAfter(40_000, 2, 3)).to.deep.equal([40_002, 40_004, 40_006])
    expect(portsAfter(65_534, 1, 64)).to.deep.equal([65_535])
  })
})
