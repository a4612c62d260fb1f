import { expect } from 'aegir/chai'
import { ServerPool } from '../../src/mapping/server-pool.ts'
import { parseSTUNURI } from '../../src/stun/uri.ts'
import type { PooledServer } from '../../src/mapping/server-pool.ts'

const SERVER_INTERVAL = 10_000
const KEEP_ALIVE_INTERVAL = 15_000

describe('server pool', () => {
  const [A, B, C] = ['stun:a.example', 'stun:b.example', 'stun:c.example']

  /**
   * Draws the configured order, then always the same number
   */
  function create (random = 0.5, servers = [A, B, C]): ServerPool {
    let shuffles = servers.length - 1

    return new ServerPool({
      servers: servers.map(parseSTUNURI),
      minReconnectInterval: SERVER_INTERVAL,
      keepAliveInterval: KEEP_ALIVE_INTERVAL,
      random: () => shuffles-- > 0 ? 1 - Number.EPSILON : random
    })
  }

  function take (pool: ServerPool, now: number): PooledServer {
    const server = pool.take(now)

    if (server == null) {
      throw new Error('There is no server to take')
    }

    return server
  }

  function takeAll (pool: ServerPool, now = 0): PooledServer[] {
    return [take(pool, now), take(pool, now), take(pool, now)]
  }

  it('gives untried servers in random order, each once', () => {
    const orders = new Set(Array.from({ length: 200 }, () => {
      const pool = new ServerPool({
        servers: [A, B, C].map(parseSTUNURI),
        minReconnectInterval: 0,
        keepAliveInterval: 0,
        random: Math.random
      })

      return takeAll(pool).map(({ uri }) => uri.uri).join(' ')
    }))

    expect(orders.size).to.equal(6)
  })

  it('gives each server once', () => {
    const pool = create()

    expect(takeAll(pool).map(({ uri }) => uri.uri)).to.deep.equal([A, B, C])
    expect(pool.take(0)).to.be.undefined()
    expect(pool.nextAvailable()).to.be.undefined()
  })

  it('waits for the interval between two connections to one server', () => {
    const pool = create()
    const [, b] = takeAll(pool)
    pool.release(b, 60_000, { type: 'held', ms: 60_000 })
    expect(pool.take(60_000)).to.equal(b)

    pool.release(b, 60_001, { type: 'unused' })
    expect(pool.take(60_001)).to.be.undefined()
    expect(pool.nextAvailable()).to.equal(60_000 + SERVER_INTERVAL)
    expect(pool.take(60_000 + SERVER_INTERVAL)).to.equal(b)
  })

  it('prefers servers that hold long, and those that hang up come last', () => {
    const pool = create()
    const [a, b, c] = takeAll(pool)
    pool.release(a, 5, { type: 'held', ms: 5 })
    pool.release(b, 60_000, { type: 'held', ms: 60_000 })
    pool.release(c, 120_000, { type: 'held', ms: 120_000 })

    expect(takeAll(pool, 200_000)).to.deep.equal([c, b, a])
  })

  it('asks a server that hangs up at once only as often as one that keeps connections', () => {
    const pool = create()
    const [a] = takeAll(pool)
    pool.release(a, 5, { type: 'held', ms: 5 })

    expect(pool.nextAvailable()).to.equal(5 + KEEP_ALIVE_INTERVAL)
  })

  it('asks a server that hangs up at once earlier when opinions are needed', () => {
    const pool = create(0.5, [A])
    const a = take(pool, 0)
    pool.release(a, 5, { type: 'held', ms: 5 })

    expect(pool.askable(SERVER_INTERVAL)).to.equal(1)
    expect(pool.nextAvailable({ isUrgent: true })).to.equal(SERVER_INTERVAL)
    expect(pool.take(SERVER_INTERVAL, { isUrgent: true })).to.equal(a)
  })

  it('tries a server every 5 s, the others first, while the system has an earlier connection in TIME_WAIT', () => {
    const pool = create()
    const [a, b] = [take(pool, 0), take(pool, 0)]
    pool.release(b, 0, { type: 'unused' })

    for (let now = 0; now < 70_000; now += 5_000) {
      pool.release(a, now, { type: 'occupied' })
      expect(pool.take(now + 4_999)).to.not.equal(a)
      expect(pool.take(now + 5_000)).to.equal(now === 5_000 ? b : a)

      if (now === 5_000) {
        expect(pool.take(now + 5_000)).to.equal(a)
      }
    }
  })

  it('asks a server whose answers are rejected less and less often', () => {
    const pool = create(0.999, [A])
    let now = 0
    const rests: number[] = []

    for (let i = 0; i < 11; i++) {
      const a = take(pool, now)
      pool.answered(a)
      pool.release(a, now, { type: 'rejected' })
      const next = pool.nextAvailable() ?? 0
      rests.push(Math.round((next - now) / 1_000))
      now = next
    }

    expect(rests).to.deep.equal([10, 10, 10, 10, 16, 32, 64, 128, 256, 300, 300])
    const a = take(pool, now)
    pool.accepted(a)
    pool.release(a, now, { type: 'rejected' })
    expect(pool.nextAvailable()).to.equal(now + SERVER_INTERVAL)
  })

  it('learns how long a server keeps connections from two that ended at the same age', () => {
    const pool = create(0.5, [A])
    const ends = (ms: number, now: number): number | undefined => {
      const server = take(pool, now)
      pool.release(server, now, { type: 'held', ms })
      return pool.holdTime(server)
    }

    // a NAT that rebooted
    expect(ends(20_000, 20_000)).to.equal(undefined)
    expect(ends(60_100, 100_000)).to.equal(undefined)
    expect(ends(60_000, 200_000)).to.equal(60_000)
    expect(ends(15_000, 300_000)).to.equal(60_000)
    expect(ends(120_000, 500_000)).to.equal(60_000)
    expect(ends(120_000, 700_000)).to.equal(120_000)

    // good to ask, not to hold
    expect(ends(9_000, 800_000)).to.equal(undefined)
  })

  it('reports whether a server may be connected to again', () => {
    const pool = create()
    const a = take(pool, 0)
    expect(pool.mayReconnect(a, SERVER_INTERVAL - 1)).to.equal(false)
    expect(pool.mayReconnect(a, SERVER_INTERVAL)).to.equal(true)
  })

  describe('other endpoints of a server', () => {
    const other = (i: number): { host: string, port: number } => ({ host: '11.0.0.2', port: 3478 + i })
    const uris = (pool: ServerPool, now: number, count: number): Array<string | undefined> =>
      Array.from({ length: count }, () => pool.take(now)?.uri.uri)

    it('come after all configured servers, and count towards the interval of theirs', () => {
      const pool = create(0.5, [A, B])
      const a = take(pool, 0)
      pool.answered(a, [other(0)])

      expect(uris(pool, 0, 2)).to.deep.equal([B, undefined])
      expect(uris(pool, SERVER_INTERVAL, 2)).to.deep.equal(['stun:11.0.0.2:3478', undefined])
    })

    it('belong to their server', () => {
      const pool = create(0.5, [A])
      const a = take(pool, 0)
      pool.answered(a, [other(0)])
      const alternative = take(pool, SERVER_INTERVAL)

      expect(alternative.origin).to.equal(a.uri)
      expect(alternative.uri).to.include({ scheme: 'stun', host: '11.0.0.2', port: 3478 })
      expect(pool.mayReconnect(a, SERVER_INTERVAL + 1)).to.equal(false)

      // what an alternative says of others is not asked
      pool.answered(alternative, [other(1)])
      expect(pool.size).to.equal(2)
    })

    it('are preferred to replace a connection to their server', () => {
      const pool = create(0.5, [A, B])
      const [a, b] = [take(pool, 0), take(pool, 0)]
      pool.answered(a, [other(0)])
      pool.answered(b, [other(1)])

      expect(pool.take(SERVER_INTERVAL, { replaced: b })?.uri.uri).to.equal('stun:11.0.0.2:3479')
    })

    it('are few, and forgotten when the server names them no longer', () => {
      const pool = create(0.5, [A])
      const a = take(pool, 0)
      pool.answered(a, Array.from({ length: 100 }, (_, i) => other(i)))
      expect(pool.size).to.equal(4)

      const used = take(pool, SERVER_INTERVAL)
      pool.answered(a, [other(50)])
      // the one in use stays for now
      expect(pool.size).to.equal(3)
      pool.release(used, SERVER_INTERVAL, { type: 'unused' })
      pool.answered(a, [other(50)])
      expect(pool.size).to.equal(2)
      expect(uris(pool, 2 * SERVER_INTERVAL, 1)).to.deep.equal(['stun:11.0.0.2:3528'])
    })
  })

  it('backs off from a server that fails, up to 5 minutes', () => {
    const pool = create(1)
    const [a, b, c] = takeAll(pool)
    expect([a.uri.uri, b.uri.uri, c.uri.uri]).to.deep.equal([A, B, C])
    let now = 0
    const rests: number[] = []

    for (let i = 0; i < 12; i++) {
      pool.release(c, now, { type: 'failed' })
      const next = pool.nextAvailable() ?? 0
      rests.push(next - now)
      now = next
      expect(pool.take(now)).to.equal(c)
    }

    // never sooner than the interval between two connections
    expect(rests).to.deep.equal([10, 10, 10, 10, 16, 32, 64, 128, 256, 300, 300, 300].map(s => s * 1_000))
  })

  it('adds jitter to the back-off, and forgets it when the server answers', () => {
    const pool = create(0)
    const [,, c] = takeAll(pool)

    for (let i = 0; i < 7; i++) {
      pool.release(c, i * 1_000_000, { type: 'failed' })

      if (i < 6) {
        pool.take((i + 1) * 1_000_000)
      }
    }

    expect(pool.nextAvailable()).to.equal(6_000_000 + 32_000)
    pool.take(7_000_000)
    pool.answered(c)
    pool.release(c, 7_000_001, { type: 'failed' })
    expect(pool.nextAvailable()).to.equal(7_000_000 + SERVER_INTERVAL)
  })

  it('lends a server in use for one answer, which counts as a connection', () => {
    const pool = create()
    const first = take(pool, 0)

    // it is known to answer, but was connected to just now
    expect(pool.take(1, { isBrief: true })?.uri.uri).to.equal(B)
    expect(pool.take(SERVER_INTERVAL, { isBrief: true })).to.equal(first)
    expect(pool.take(SERVER_INTERVAL, { isBrief: true })?.uri.uri).to.equal(C)
    // B was only lent
    expect(pool.take(2 * SERVER_INTERVAL)?.uri.uri).to.equal(B)
    expect(pool.mayReconnect(first, SERVER_INTERVAL + 1)).to.equal(false)
  })
})
