import { expect } from 'aegir/chai'
import { drawPorts, refuseRanges, toRanges } from '../../../src/dcutr/hard/ports.ts'
import { sizeOf } from '../../../src/dcutr/hard/range.ts'

const RANGES = [{ from: 5_000, to: 5_015 }, { from: 6_000, to: 6_000 }, { from: 65_530, to: 65_535 }]

describe('hard punch ports', () => {
  it('draws each port once, in an order that is not theirs', () => {
    const ports = drawPorts(RANGES, 1_000, Math.random)

    expect(ports).to.have.lengthOf(sizeOf(RANGES))
    expect(toRanges(ports)).to.deep.equal(RANGES)
    expect(ports).to.not.deep.equal([...ports].sort((a, b) => a - b))
  })

  it('draws every port as often as the others', () => {
    const counts = new Map<number, number>()

    for (let i = 0; i < 10_000; i++) {
      for (const port of drawPorts(RANGES, 4, Math.random)) {
        counts.set(port, (counts.get(port) ?? 0) + 1)
      }
    }

    expect(counts.size).to.equal(sizeOf(RANGES))
    // 1739 on average, with a standard deviation of 38
    expect([...counts.values()].every(count => count > 1_400 && count < 2_100)).to.equal(true)
  })

  it('turns ports into ranges', () => {
    expect(toRanges([7, 5, 6, 9, 5])).to.deep.equal([{ from: 5, to: 7 }, { from: 9, to: 9 }])
  })

  for (const [title, ranges] of Object.entries({
    'a well-known port': [{ from: 22, to: 22 }],
    'ports from 0 on': [{ from: 0, to: 65_535 }],
    'ports above 65535': [{ from: 60_000, to: 65_536 }],
    'a number of 2^48': [{ from: 5_000, to: 2 ** 48 }],
    'an end before the beginning': [{ from: 6_000, to: 5_000 }],
    'ranges that overlap': [{ from: 5_000, to: 6_000 }, { from: 5_500, to: 6_500 }],
    'a range twice': [{ from: 5_000, to: 6_000 }, { from: 5_000, to: 6_000 }]
  })) {
    it(`refuses ${title}`, () => {
      expect(refuseRanges(ranges)).to.be.a('string')
    })
  }

  it('takes ranges in any order', () => {
    expect(refuseRanges([...RANGES].reverse())).to.equal(undefined)
  })
})
