import { expect } from 'aegir/chai'
import { nextRenewal } from '../../src/mapping/rotation.ts'

describe('rotation', () => {
  const connection = (
    since: number,
    holdTime?: number,
    chance = 0
  ): { since: number; holdTime?: number; chance: number } => ({ since, holdTime, chance })

  it('never replaces the only connection', () => {
    expect(nextRenewal([])).to.equal(undefined)
    expect(nextRenewal([connection(0, 60_000)])).to.equal(undefined)
  })

  it('never replaces a connection whose server does not close any', () => {
    expect(nextRenewal([connection(0), connection(0)])).to.equal(undefined)
    expect(nextRenewal([connection(0), connection(5, 60_000)])).to.have.nested.property('connection.since', 5)
  })

  it('replaces a connection ahead of its end, at a random moment', () => {
    expect(nextRenewal([connection(0, 60_000), connection(0)])?.at).to.equal(36_000)
    expect(nextRenewal([connection(0, 60_000, 1), connection(0)])?.at).to.equal(48_000)
  })

  it('replaces the connection that is due first', () => {
    expect(
      nextRenewal([connection(1_000, 60_000), connection(0, 120_000), connection(0, 60_000)])?.connection
    ).to.deep.equal(connection(0, 60_000))
  })

  it('always has a connection, through days of servers that hang up', () => {
    const holdTimes = [60_000, 120_000]
    const held = holdTimes.map(holdTime => connection(0, holdTime, 0.5))
    let renewals = 0
    let now = 0

    while (now < 3 * 24 * 3_600_000) {
      const next = nextRenewal(held)

      if (next == null) {
        throw new Error('unreachable')
      }

      now = next.at
      // the other one lives at this moment, and for long enough to make a new one
      const other = held.find(candidate => candidate !== next.connection)
      expect((other?.since ?? 0) + (other?.holdTime ?? 0) - now).to.be.greaterThan(10_000)
      expect(now - next.connection.since).to.be.lessThan(next.connection.holdTime ?? 0)
      next.connection.since = now
      next.connection.chance = (renewals * 0.37) % 1
      renewals++
    }

    expect(renewals).to.be.greaterThan(3 * 24 * 60)
  })
})
