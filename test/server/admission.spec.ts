import { expect } from 'aegir/chai'
import { Admission } from '../../src/server/admission.ts'
import { DEFAULT_LIMITS, validateLimits } from '../../src/server/limits.ts'
import { MAX_CLIENT_MEMORY, clientMemory } from '../../src/server/memory.ts'
import { otherAddress } from '../../src/server/other-address.ts'
import { RateLimit } from '../../src/server/rate-limit.ts'

const MIB = 1024 * 1024

describe('STUN server, admission', () => {
  const limits = validateLimits({
    maxConnectionsPerAddress: 2,
    maxConnectionsPerSubnet: 3,
    maxNewConnectionsPerSecond: 10
  })

  it('limits the connections of an IPv6 /64 together', () => {
    const admission = new Admission(limits)
    const hosts = ['2a00::1', '2a00::1', '2a00::1', '2a00::2', '2a00::3', '2a00:0:0:1::1']

    expect(hosts.map(host => admission.admit(host, 0))).to.deep.equal([
      undefined,
      undefined,
      'address',
      undefined,
      'subnet',
      undefined
    ])
    admission.release('2a00::1')
    expect(admission.admit('2a00::3', 0)).to.equal(undefined)
  })

  it('limits new connections a second, and forgets sources that are gone', () => {
    const admission = new Admission(limits)

    for (const host of ['11.0.0.1', '2a00::1']) {
      for (let i = 0; i < 10; i++) {
        expect(admission.admit(host, 5_000)).to.equal(undefined)
        admission.release(host)
      }

      expect(admission.admit(host, 5_000)).to.equal('rate')
    }

    expect(admission.admit('11.0.0.1', 5_100)).to.equal(undefined)
    admission.release('11.0.0.1')
    admission.admit('11.0.0.9', 9_000)
    expect(admission.size).to.equal(1)
  })

  for (const { bits, last, expected } of [
    { bits: 64, last: (i: number) => `2a00:0:0:0::${i.toString(16)}`, expected: 200 },
    { bits: 56, last: (i: number) => `2a00:0:0:${(i % 256).toString(16)}::${i.toString(16)}`, expected: 400 },
    { bits: 48, last: (i: number) => `2a00:0:0:${(i % 65_536).toString(16)}::1`, expected: 800 },
    { bits: 32, last: (i: number) => `2a00:0:${i.toString(16)}::1`, expected: 5_000 }
  ]) {
    it(`lets the addresses of one IPv6 /${bits} have ${expected === 5_000 ? 'all' : expected} connections`, () => {
      const admission = new Admission({ ...DEFAULT_LIMITS, maxNewConnectionsPerSecond: 1e9 })
      const admitted = Array.from({ length: 5_000 }, (_, i) => admission.admit(last(i), 0)).filter(
        refusal => refusal == null
      )

      expect(admitted).to.have.lengthOf(expected)
    })
  }

  it('lets the networks of one IPv6 /48 open four times the connections a second of a /64', () => {
    const admission = new Admission({ ...DEFAULT_LIMITS, maxConnectionsPerSubnet: 1e9, maxNewConnectionsPerSecond: 10 })
    const refusals = Array.from({ length: 5_000 }, (_, i) => admission.admit(`2a00:0:0:${i.toString(16)}::1`, 0))

    expect(refusals.filter(refusal => refusal == null)).to.have.lengthOf(40)
    expect(new Set(refusals)).to.deep.equal(new Set([undefined, 'rate']))
    // refused networks are not remembered
    expect(admission.size).to.be.below(150)
  })

  it('does not let one network use up the rate of its neighbours', () => {
    const admission = new Admission({ ...DEFAULT_LIMITS, maxNewConnectionsPerSecond: 10 })
    Array.from({ length: 1_000 }, (_, i) => admission.admit(`2a00::${i.toString(16)}`, 0))

    expect(admission.admit('2a00:0:0:1::1', 0)).to.equal(undefined)
  })

  it('limits a rate below one a second', () => {
    const rate = new RateLimit(0.5)

    // the first one is allowed at once, also when the clock has just begun
    expect([0, 1_999, 2_000, 3_999, 4_000].map(now => rate.take(now))).to.deep.equal([true, false, true, false, true])
  })

  it('limits a rate, with one second of burst', () => {
    const rate = new RateLimit(10)
    const taken = (now: number): number => Array.from({ length: 100 }, () => rate.take(now)).filter(Boolean).length

    expect(taken(0)).to.equal(10)
    expect(taken(100)).to.equal(1)
    expect(taken(600)).to.equal(5)
    expect(taken(1e9)).to.equal(10)
  })

  for (const { title, rss, connections, expected } of [
    { title: 'nothing at rest', rss: 70, connections: 0, expected: 0 },
    { title: 'nothing without clients, whatever earlier ones left behind', rss: 900, connections: 0, expected: 0 },
    {
      title: 'little for a few clients, whatever earlier ones left behind',
      rss: 900,
      connections: 8,
      expected: 8 * MAX_CLIENT_MEMORY
    },
    { title: 'what the process grew by, for many clients', rss: 900, connections: 10_000, expected: 830 * MIB },
    { title: 'nothing when the process has shrunk', rss: 60, connections: 10_000, expected: 0 }
  ]) {
    it(`charges clients with ${title}`, () => {
      expect(clientMemory({ rss: rss * MIB, atRest: 70 * MIB, connections })).to.equal(expected)
    })
  }

  describe('OTHER-ADDRESS', () => {
    const four = ['11.0.0.1', '11.0.0.2'].flatMap(host => [3_478, 3_479].map(port => ({ host, port })))

    it('prefers a listener that differs in address and port', () => {
      expect(four.map(server => otherAddress(server, four))).to.deep.equal([...four].reverse())
    })

    it('else takes one that differs in the address, else in the port', () => {
      expect(otherAddress(four[0], [four[0], four[1], four[2]])).to.deep.equal(four[2])
      expect(
        otherAddress(four[0], [
          { host: '0.0.0.0', port: 3_478 },
          { host: '0.0.0.0', port: 3_479 }
        ])
      ).to.deep.equal(four[1])
      expect(otherAddress(four[0], [four[0], { host: '::', port: 1 }])).to.equal(undefined)
    })
  })
})
