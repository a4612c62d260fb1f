import { expect } from 'aegir/chai'
import { DEFAULT_BUDGET, WIDE_BUDGET } from '../../../src/dcutr/hard/plan.ts'
import { DURATION } from '../../../src/dcutr/hard/protocol.ts'
import { holdTime, timeToMeet } from '../../../src/dcutr/hard/timing.ts'

/**
 * After which Linux repeats a SYN, in ms
 */
const REPETITION = 1_000

describe('hard punch timing', () => {
  for (const [roundTrip, hold] of [[0, 600], [40, 600], [200, 600], [300, 900], [1_000, 3_000], [2 ** 40, 3_000]]) {
    it(`with a round trip of ${roundTrip} ms a probe is held for ${hold} ms`, () => {
      expect(holdTime(roundTrip)).to.equal(hold)
    })
  }

  it('a probe outlives two round trips', () => {
    for (let roundTrip = 0; roundTrip <= 1_000; roundTrip += 10) {
      expect(holdTime(roundTrip)).to.be.at.least(2 * roundTrip)
    }
  })

  it('ends before the system repeats a SYN, by default and with a round trip of up to 200 ms', () => {
    expect(timeToMeet(DEFAULT_BUDGET.probes, 200)).to.be.below(REPETITION)
    expect(timeToMeet(DEFAULT_BUDGET.probes, 300)).to.be.above(REPETITION)
  })

  it('with the wide budget it ends in time', () => {
    expect(timeToMeet(WIDE_BUDGET.probes, 200)).to.be.below(DURATION)
  })
})
