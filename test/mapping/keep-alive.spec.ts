import { readFile } from 'node:fs/promises'
import { expect } from 'aegir/chai'
import { DEFAULT_KEEP_ALIVE_INTERVAL, requestInterval } from '../../src/mapping/index.ts'
import {
  afterAnswer, afterEnd, afterQuiet, initialKeepAlive, intervals, nextRelaxation
} from '../../src/mapping/keep-alive.ts'
import type { KeepAlive } from '../../src/mapping/keep-alive.ts'

const HOUR = 3_600_000

describe('keep-alive', () => {
  it('sends a Binding request every sixth time, below one second every time', () => {
    expect(requestInterval(15_000)).to.equal(90_000)
    expect(requestInterval(1_000)).to.equal(6_000)
    expect(requestInterval(999)).to.equal(999)
  })

  it('is documented as it is: a proxy must allow for the longest time between two requests', async () => {
    const longest = Math.round(1.1 * requestInterval(DEFAULT_KEEP_ALIVE_INTERVAL) / 1_000)

    expect(await readFile('docs/server.md', 'utf8')).to.include(`at least ${longest} s`)
    expect(await readFile('docs/check.md', 'utf8')).to.include(
      `a Binding request every ${requestInterval(DEFAULT_KEEP_ALIVE_INTERVAL) / 1_000} s`
    )
  })

  describe('behind a NAT that forgets', () => {
    const [X, Y] = ['/ip4/11.0.0.1/tcp/1', '/ip4/11.0.0.1/tcp/2']

    /**
     * The connection that is held longest ends after some silence
     */
    function ended (state: KeepAlive, silence: number, now: number): KeepAlive {
      return afterEnd(state, { external: X, silence, interval: state.interval }, now)
    }

    /**
     * It ends, and the next one has another address
     */
    function forgotten (state: KeepAlive, silence: number, now: number): KeepAlive {
      return afterAnswer(ended(state, silence, now), Y, now + 200)
    }

    it('halves the interval, down to 5 s, when connections end at their first probe with another address', () => {
      let state = initialKeepAlive(15_000)
      const intervals: number[] = []

      for (let i = 0; i < 4; i++) {
        // the kernel counts in seconds, and a probe takes a round trip
        state = forgotten(state, state.interval + 300, i * 60_000)
        intervals.push(state.interval)
      }

      expect(intervals).to.deep.equal([7_500, 5_000, 5_000, 5_000])
    })

    it('also when the probes are lost, until the kernel gives up', () => {
      expect(forgotten(initialKeepAlive(15_000), 26_000, 0).interval).to.equal(7_500)
    })

    const OTHERWISE: Array<{ title: string; state(initial: KeepAlive): KeepAlive }> = [
      { title: 'ended early', state: initial => forgotten(initial, 5_000, 0) },
      { title: 'ended long after its first probe', state: initial => forgotten(initial, 60_000, 0) },
      { title: 'has the same address again', state: initial => afterAnswer(ended(initial, 15_000, 0), X, 200) },
      { title: 'is replaced much later', state: initial => afterAnswer(ended(initial, 15_000, 0), Y, 61_000) },
      {
        title: 'ended at a probe, but another one has shown the address to be the same',
        state: initial => afterAnswer(afterAnswer(ended(initial, 15_000, 0), X, 100), Y, 200)
      }
    ]

    for (const { title, state } of OTHERWISE) {
      it(`does not when a connection ${title}`, () => {
        expect(state(initialKeepAlive(15_000)).interval).to.equal(15_000)
      })
    }

    it('keeps all connections alive alike once the one with the longer interval has ended at its first probe', () => {
      const initial = initialKeepAlive(15_000)
      expect(intervals(initial)).to.deep.equal({ keepAliveInterval: 15_000, othersInterval: 45_000 })

      const early = afterEnd(initial, { external: X, silence: 15_000, interval: 45_000 }, 0)
      expect(intervals(early)).to.deep.equal(intervals(initial))

      const forgot = afterAnswer(afterEnd(initial, { external: X, silence: 45_200, interval: 45_000 }, 0), Y, 200)
      expect(intervals(forgot)).to.deep.equal({ keepAliveInterval: 15_000, othersInterval: 15_000 })
      // and so it stays when the interval becomes shorter
      expect(intervals(forgotten(forgot, 15_200, 60_000)))
        .to.deep.equal({ keepAliveInterval: 7_500, othersInterval: 7_500 })
    })

    it('never changes an interval that is shorter than 5 s', () => {
      expect(forgotten(initialKeepAlive(1_000), 1_000, 0).interval).to.equal(1_000)
    })

    it('tries a longer one after an hour without evidence, and more rarely each time that this was too long', () => {
      let state = forgotten(initialKeepAlive(15_000), 15_000, 0)
      const waits: number[] = []

      for (let i = 0; i < 8; i++) {
        const at = nextRelaxation(state) ?? NaN
        waits.push((at - state.changedAt) / HOUR)
        expect(afterQuiet(state, at - 1)).to.equal(state)
        state = afterQuiet(state, at)
        expect(state.interval).to.equal(15_000)
        state = forgotten(state, 15_000, at + 15_000)
        expect(state.interval).to.equal(7_500)
      }

      expect(waits).to.deep.equal([1, 2, 4, 8, 16, 24, 24, 24])
    })

    it('is as configured again in steps when nothing is forgotten any longer', () => {
      let state = forgotten(forgotten(initialKeepAlive(15_000), 15_000, 0), 7_500, 60_000)
      expect(state.interval).to.equal(5_000)
      state = afterQuiet(state, 60_200 + HOUR)
      expect(state.interval).to.equal(10_000)
      state = afterQuiet(state, 60_200 + 2 * HOUR)
      expect(state.interval).to.equal(15_000)
      expect(nextRelaxation(state)).to.equal(undefined)
    })
  })
})
