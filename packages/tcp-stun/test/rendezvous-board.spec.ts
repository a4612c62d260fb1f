import { expect } from 'aegir/chai'
import { HeldClock } from '../../../test/fixtures/held-clock.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { Board } from '../src/rendezvous/server/board.ts'
import { decodeCookie, encodeCookie } from '../src/rendezvous/server/cookie.ts'
import { Departures } from '../src/rendezvous/server/departures.ts'
import { ExpiryQueue } from '../src/rendezvous/server/expiry-queue.ts'
import { DEFAULT_BOARD_LIMITS } from '../src/rendezvous/server/limits.ts'
import { OrderedList } from '../src/rendezvous/server/ordered-list.ts'
import { Positions } from '../src/rendezvous/server/positions.ts'
import { Readers } from '../src/rendezvous/server/readers.ts'
import type { Registration } from '../src/rendezvous/server/registration.ts'
import type { StoredRegistration } from '../src/rendezvous/store/store.ts'

const MINUTE = 60_000

function registration (position: number, expires = Infinity): Registration {
  return {
    peer: `peer-${position}`,
    namespace: 'my-app',
    form: 'standard',
    record: new Uint8Array(),
    position,
    expires,
    via: 'helper',
    networks: [],
    removed: false
  }
}

describe('the list of a namespace', () => {
  it('starts after any position, and leaves out what was removed', () => {
    const list = new OrderedList()
    const entries = Array.from({ length: 1_000 }, (_, i) => registration(2 * i))
    entries.forEach(entry => { list.append(entry) })

    for (let i = 0; i < 1_000; i++) {
      if (i % 10 !== 0) {
        entries[i].removed = true
        list.forget()
      }
    }

    const left = entries.filter(({ removed }) => !removed)
    expect(list.size).to.equal(100)

    for (const position of [-1, 0, 1, 998, 999, 1_978, 1_979, 1_980, 5_000]) {
      expect([...list.after(position)]).to.deep.equal(left.filter(entry => entry.position > position))
    }
  })
})

describe('a board', () => {
  const observer = { onAdd: () => {}, onRefresh: () => {}, onRemove: () => {} }

  it('gives a registration of a wrong date no more time than any other', () => {
    const clock = new HeldClock()
    const board = new Board(clock, { ...DEFAULT_BOARD_LIMITS, maxTTL: 600 }, observer)
    const YEAR = 365 * 24 * 60 * MINUTE
    const stored = (position: number, ms: number): StoredRegistration =>
      ({ ...registration(position), expires: clock.date() + ms })

    const [far, near] = [board.adopt(stored(1, 4 * YEAR)), board.adopt(stored(2, 5 * MINUTE))]
    expect([far, near].map(entry => entry != null && board.remaining(entry))).to.deep.equal([600, 300])
    expect(board.adopt(stored(3, -1))).to.equal(undefined)

    clock.stepDate(-4 * YEAR)
    clock.advance(11 * MINUTE)
    board.expire()
    expect(board.size).to.equal(0)
  })
})

describe('the queue of registrations that expire', () => {
  it('gives each out once it has expired, also when it was refreshed', () => {
    const queue = new ExpiryQueue()
    const [short, long, refreshed, removed] = [5_000, 100_000, 5_000, 5_000].map((ms, i) => registration(i, ms))
    ;[short, long, refreshed, removed].forEach(entry => { queue.add(entry) })
    refreshed.expires = 205_000
    removed.removed = true

    expect(queue.take(4_999)).to.be.empty()
    expect(queue.take(20_000)).to.deep.equal([short])
    expect(queue.take(120_000)).to.deep.equal([long])
    expect(queue.take(204_999)).to.be.empty()
    expect(queue.take(1_000_000)).to.deep.equal([refreshed])
    expect(queue.take(2_000_000)).to.be.empty()
  })
})

describe('readers that wait', () => {
  const { signal } = new AbortController()

  /**
   * How many of them have been answered
   */
  function waitAll (readers: Readers, count: number): { answered: number } {
    const result = { answered: 0 }

    for (let i = 0; i < count; i++) {
      readers.wait('my-app', 30_000, signal).then(() => { result.answered++ }, () => {})
    }

    return result
  }

  for (const { count, gather } of [{ count: 5, gather: 100 }, { count: 2_000, gather: 2_000 }]) {
    it(`are answered ${gather} ms after the first of several registrations, when they are ${count}`, async () => {
      const clock = new HeldClock()
      const readers = new Readers(clock)
      const result = waitAll(readers, count)
      expect(readers.size).to.equal(count)
      readers.notify('my-app')
      readers.notify('elsewhere')
      clock.advance(gather - 1)
      readers.notify('my-app')
      expect(readers.size).to.equal(count)
      clock.advance(1)
      await waitUntil('all are answered', () => result.answered === count)
      expect(readers.size).to.equal(0)
      // nothing is left
      expect(clock.pending).to.equal(0)
    })
  }

  it('are answered in the end, or when they leave', async () => {
    const clock = new HeldClock()
    const readers = new Readers(clock)
    const leaving = new AbortController()
    const left = readers.wait('my-app', 30_000, leaving.signal)
    const result = waitAll(readers, 1)
    leaving.abort()
    await left
    await readers.wait('my-app', 30_000, leaving.signal)
    expect(readers.size).to.equal(1)
    clock.advance(30_000)
    await waitUntil('it is answered', () => result.answered === 1)
    expect(clock.pending).to.equal(0)
  })
})

describe('peers that have left', () => {
  it('are given out after the time of grace, unless they come back', () => {
    const departures = new Departures(MINUTE)
    departures.left('a', 0)
    departures.left('b', 1_000)
    departures.left('c', 2_000)
    departures.returned('b')
    // once more
    departures.left('a', 3_000)

    expect(departures.take(MINUTE)).to.be.empty()
    expect(departures.take(MINUTE + 2_000)).to.deep.equal(['c'])
    expect(departures.take(MINUTE + 3_000)).to.deep.equal(['a'])
    expect(departures.take(10 * MINUTE)).to.be.empty()
  })
})

describe('positions', () => {
  const DATE = Date.UTC(2030, 0, 1)

  it('ascend within a millisecond, and when the clock is set back', () => {
    let date = DATE
    const positions = new Positions(() => date)
    const numbers = [positions.next(), positions.next()]
    date -= 10 * MINUTE
    numbers.push(positions.next())
    date += 20 * MINUTE
    numbers.push(positions.next())

    expect(numbers).to.deep.equal([...numbers].sort((a, b) => a - b))
    expect(new Set(numbers).size).to.equal(4)
    expect(numbers.every(Number.isSafeInteger)).to.equal(true)
  })

  it('ascend after a restart, with what was stored and without', () => {
    const before = new Positions(() => DATE).next()
    const stored = new Positions(() => DATE - MINUTE)
    stored.adopt(before)

    expect(stored.next()).to.be.greaterThan(before)
    expect(new Positions(() => DATE + 1_000).next()).to.be.greaterThan(before)
  })

  it('let a reader go on: exactly, a minute earlier after a restart, from the start with a wrong cookie', () => {
    const before = new Positions(() => DATE)
    const read = { position: before.next(), run: before.run }
    expect(before.resume(read)).to.equal(read.position)

    const after = new Positions(() => DATE + 1_000)
    const next = after.next()
    const run = (after.run + 1) % 2_048
    expect(after.resume({ position: read.position, run })).to.equal(read.position - MINUTE * 4_096)
    expect(after.resume({ position: next, run: after.run })).to.equal(next)
    expect(after.resume({ position: next + 1, run: after.run })).to.equal(0)
  })
})

describe('cookies', () => {
  for (const cookie of [
    { position: 0, run: 0, namespace: undefined },
    { position: Number.MAX_SAFE_INTEGER, run: 2_047, namespace: undefined },
    { position: 7_700_000_000_000_000, run: 1_234, namespace: 'näme/space' }
  ]) {
    it(`keep position ${cookie.position}, run ${cookie.run} and namespace ${cookie.namespace}`, () => {
      const decoded = decodeCookie(encodeCookie(cookie))
      expect({ namespace: undefined, ...decoded }).to.deep.equal(cookie)
    })
  }
})
