import { expect } from 'aegir/chai'
import {
  NO_EVIDENCE, afterStranger, afterVerdict, findVerdict, initialEvidence
} from '../../src/listen/reachability.ts'

/**
 * What happens, in order: a stranger connects, and nothing else than the external address
 * (`conclusive`) or maybe something else (`stranger`) led here; AutoNAT confirms the
 * address (`confirmed`) or withdraws it
 */
type Event = 'conclusive' | 'stranger' | 'confirmed' | 'withdrawn'

const TRACES: Array<{ events: Event[], expected: string, from?: 'no-nat' }> = [
  { events: [], expected: 'unknown' },
  { events: ['conclusive'], expected: 'public inbound' },
  { events: ['stranger'], expected: 'unknown' },
  { events: ['confirmed'], expected: 'unknown' },
  { events: ['confirmed', 'confirmed', 'confirmed'], expected: 'unknown' },
  { events: ['stranger', 'confirmed'], expected: 'public autonat' },
  { events: ['confirmed', 'stranger'], expected: 'unknown' },
  { events: ['conclusive', 'confirmed'], expected: 'public inbound' },
  { events: ['withdrawn'], expected: 'private autonat' },
  { events: ['withdrawn', 'conclusive'], expected: 'private autonat' },
  { events: ['withdrawn', 'confirmed'], expected: 'private autonat' },
  { events: ['withdrawn', 'stranger', 'confirmed'], expected: 'public autonat' },
  { events: ['stranger', 'withdrawn', 'confirmed'], expected: 'private autonat' },
  { events: ['conclusive', 'withdrawn'], expected: 'private autonat' },
  { events: ['conclusive', 'withdrawn', 'confirmed'], expected: 'private autonat' },
  { events: ['stranger', 'confirmed', 'confirmed'], expected: 'public autonat' },
  { events: [], from: 'no-nat', expected: 'public no-nat' },
  { events: ['confirmed'], from: 'no-nat', expected: 'public no-nat' },
  { events: ['withdrawn'], from: 'no-nat', expected: 'private autonat' },
  { events: ['withdrawn', 'confirmed'], from: 'no-nat', expected: 'private autonat' }
]

describe('reachability', () => {
  for (const { events, expected, from } of TRACES) {
    it(`is ${expected} after ${[from, ...events].filter(event => event != null).join(', ') || 'nothing'}`, () => {
      const start = from == null ? NO_EVIDENCE : initialEvidence({ host: '11.1.0.1', isLocal: true })
      const { known } = events.reduce((evidence, event) => {
        switch (event) {
          case 'confirmed':
          case 'withdrawn':
            return afterVerdict(evidence, event === 'confirmed')
          default:
            return afterStranger(evidence, event === 'conclusive')
        }
      }, start)

      expect([known.reachability, known.reachabilitySource].filter(part => part != null).join(' ')).to.equal(expected)
    })
  }

  it('is known from the start where the external address is an IPv4 address of this machine', () => {
    expect(initialEvidence({ host: '11.1.0.1', isLocal: true }).known.reachability).to.equal('public')
    expect(initialEvidence({ host: '2a00::1', isLocal: true }).known.reachability).to.equal('unknown')
    expect(initialEvidence({ host: '11.1.0.1', isLocal: false }).known.reachability).to.equal('unknown')
  })

  it('has a verdict when the address manager says something new', () => {
    const before = { verified: false, expires: 1 }
    expect(findVerdict(before, before)).to.equal(undefined)
    expect(findVerdict(before, { verified: true, expires: 1 })).to.equal(true)
    expect(findVerdict(before, { verified: false, expires: 2 })).to.equal(false)
    expect(findVerdict({ verified: true, expires: 1 }, { verified: true, expires: 2 })).to.equal(true)
  })
})
