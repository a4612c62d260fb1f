import { expect } from 'aegir/chai'
import { HardPunchLimits } from '../../../src/dcutr/hard/limits.ts'
import { HeldClock } from '../../fixtures/held-clock.ts'
import type { PeerId } from '@libp2p/interface'

const MINUTE = 60_000

/**
 * Only their text counts
 */
const peers = Array.from({ length: 12 }, (_, i) => ({ toString: () => `peer ${i}` }) as unknown as PeerId)

describe('hard punch limits', () => {
  let clock: HeldClock
  let limits: HardPunchLimits

  beforeEach(() => {
    clock = new HeldClock()
    limits = new HardPunchLimits(clock)
  })

  const reasonOf = (peer: number, host?: string): string | undefined => {
    try {
      limits.take(peers[peer], host).end(true)
    } catch (err: any) {
      return err.reason
    }
  }

  const run = (peer: number, host: string, succeeded = true): void => {
    const permit = limits.take(peers[peer], host)
    permit.use(host)
    permit.end(succeeded)
  }

  it('one at a time', () => {
    const permit = limits.take(peers[0], '1.2.3.4')
    expect(reasonOf(1, '1.2.3.5')).to.equal('busy')
    permit.end(true)
    expect(reasonOf(1, '1.2.3.5')).to.equal(undefined)
    // an old permit ends no other
    const other = limits.take(peers[2])
    permit.end(true)
    expect(reasonOf(1)).to.equal('busy')
    other.end(true)
  })

  it('one for each address in 10 minutes, whichever peer offers it', () => {
    run(0, '1.2.3.4')
    clock.advance(10 * MINUTE - 1)
    expect(reasonOf(1, '1.2.3.4')).to.equal('too-soon')
    expect(reasonOf(1, '1.2.3.5')).to.equal(undefined)
    clock.advance(1)
    expect(reasonOf(1, '1.2.3.4')).to.equal(undefined)
  })

  it('an address that becomes known later is checked before it is used', () => {
    run(0, '1.2.3.4')
    const permit = limits.take(peers[1])
    expect(() => { permit.use('1.2.3.4') }).to.throw().with.property('reason', 'too-soon')
  })

  it('10 an hour, to whichever addresses', () => {
    for (let i = 0; i < 10; i++) {
      run(i, `1.2.3.${i}`)
      clock.advance(MINUTE)
    }

    expect(reasonOf(10, '1.2.4.1')).to.equal('too-soon')
    clock.advance(50 * MINUTE - 1)
    expect(reasonOf(10, '1.2.4.1')).to.equal('too-soon')
    clock.advance(1)
    expect(reasonOf(10, '1.2.4.1')).to.equal(undefined)
  })

  it('none with a peer for 2 minutes after a failure, even if no packet was sent', () => {
    limits.take(peers[0], '1.2.3.4').end(false)
    clock.advance(2 * MINUTE - 1)
    expect(reasonOf(0, '1.2.3.5')).to.equal('too-soon')
    expect(reasonOf(1, '1.2.3.4')).to.equal(undefined)
    clock.advance(1)
    expect(reasonOf(0, '1.2.3.5')).to.equal(undefined)
  })

  it('a flood of offers from many peers: 10 of them an hour, at 10 addresses', () => {
    let used = 0

    for (let second = 0; second < 3_600; second++) {
      try {
        const permit = limits.take(peers[second % peers.length], `1.2.${second >> 8}.${second & 0xff}`)
        permit.use(`1.2.${second >> 8}.${second & 0xff}`)
        used++
        permit.end(false)
      } catch {}

      clock.advance(1_000)
    }

    expect(used).to.equal(10)
  })

  it('a flood of offers for one address: one in 10 minutes', () => {
    let used = 0

    for (let second = 0; second < 3_600; second++) {
      try {
        const permit = limits.take(peers[second % peers.length], '1.2.3.4')
        permit.use('1.2.3.4')
        used++
        permit.end(false)
      } catch {}

      clock.advance(1_000)
    }

    expect(used).to.equal(6)
  })
})
