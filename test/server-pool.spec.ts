import { expect } from 'aegir/chai'
import { ServerPool } from '../src/mapping/server-pool.ts'
import { parseSTUNURI } from '../src/stun/uri.ts'

const SERVER_INTERVAL = 10_000
const KEEP_ALIVE_INTERVAL = 15_000

describe('server pool', () => {
  const [a, b, c] = ['stun:a.example', 'stun:b.example', 'stun:c.example'].map(parseSTUNURI)
  const pool = (random = 0.5): ServerPool => new ServerPool({
    servers: [a, b, c],
    serverInterval: SERVER_INTERVAL,
    keepAliveInterval: KEEP_ALIVE_INTERVAL,
    random: () => random
  })

  it('gives untried servers in the order they were configured in, each once', () => {
    const p = pool()

    expect([p.take(0), p.take(0), p.take(0), p.take(0)]).to.deep.equal([a, b, c, undefined])
    expect(p.nextAvailable()).to.be.undefined()
  })

  it('leaves a server alone for the interval after a connection', () => {
    const p = pool()
    p.take(0)
    p.take(0)
    p.take(0)
    p.release(b, 60_000, { type: 'held', ms: 60_000 })
    expect(p.take(60_000)).to.equal(b)

    p.release(b, 60_001, { type: 'unused' })
    expect(p.take(60_001)).to.be.undefined()
    expect(p.nextAvailable()).to.equal(60_000 + SERVER_INTERVAL)
    expect(p.take(60_000 + SERVER_INTERVAL)).to.equal(b)
  })

  it('prefers servers that hold long, and those that hang up come last', () => {
    const p = pool()
    p.take(0)
    p.take(0)
    p.take(0)
    p.release(a, 5, { type: 'held', ms: 5 })
    p.release(b, 60_000, { type: 'held', ms: 60_000 })
    p.release(c, 120_000, { type: 'held', ms: 120_000 })

    expect([p.take(200_000), p.take(200_000), p.take(200_000)]).to.deep.equal([c, b, a])
  })

  it('asks a server that hangs up at once only as often as a kept one', () => {
    const p = pool()
    p.take(0)
    p.take(0)
    p.take(0)
    p.release(a, 5, { type: 'held', ms: 5 })

    expect(p.nextAvailable()).to.equal(5 + KEEP_ALIVE_INTERVAL)
  })

  it('backs off from a server that fails, to 5 minutes and no further', () => {
    const p = pool(1)
    p.take(0)
    p.take(0)
    let now = 0
    const rests: number[] = []

    for (let i = 0; i < 12; i++) {
      expect(p.take(now)).to.equal(c)
      p.release(c, now, { type: 'failed' })
      const next = p.nextAvailable() ?? 0
      rests.push(next - now)
      now = next
    }

    // never sooner than the interval between two connections
    expect(rests).to.deep.equal([10, 10, 10, 10, 16, 32, 64, 128, 256, 300, 300, 300].map(s => s * 1_000))
  })

  it('spreads the back-off, and forgets it when the server answers', () => {
    const p = pool(0)
    p.take(0)
    p.take(0)

    for (let i = 0; i < 7; i++) {
      p.take(i * 1_000_000)
      p.release(c, i * 1_000_000, { type: 'failed' })
    }

    expect(p.nextAvailable()).to.equal(6_000_000 + 32_000)
    p.take(7_000_000)
    p.answered(c)
    p.release(c, 7_000_001, { type: 'failed' })
    expect(p.nextAvailable()).to.equal(7_000_000 + SERVER_INTERVAL)
  })
})
