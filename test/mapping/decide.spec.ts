import { expect } from 'aegir/chai'
import { Answers } from '../../src/mapping/answers.ts'
import { decide } from '../../src/mapping/decide.ts'
import { NO_MEMORY } from '../../src/mapping/decision.ts'
import type { Decision, Facts, Memory } from '../../src/mapping/decision.ts'
import type { HeldConnection } from '../../src/mapping/held-connection.ts'

const [W, X, Y, Z] = [1, 2, 3, 4].map(i => `/ip4/11.0.0.${i}/tcp/4001`)
const LOCAL = '192.168.1.2'
const LIFETIME = 30_000

/**
 * A sequence of events and what is decided after each. The trace carries out the
 * decisions as the mapping does, without sockets and timers.
 */
class Trace {
  public decision: Decision | undefined
  /** Every address that was announced, in turn, and `-` where none was any longer */
  public readonly announced: string[] = []
  public readonly rejected: string[] = []
  public asked: string[] = []
  private memory: Memory = NO_MEMORY
  private now = 1_000
  private readonly answers = new Answers()
  private readonly connections = new Map<string, HeldConnection>()
  private readonly facts: Partial<Facts>

  /**
   * @param facts - what stays the same
   */
  constructor (facts: Partial<Facts> = {}) {
    this.facts = facts
  }

  /**
   * A server answers, over a new connection unless it has one. `a2` is another
   * endpoint of server `a`, at another address.
   */
  says (server: string, external: string, { localHost = LOCAL, host = `host-${server}` } = {}): this {
    const connection = this.connections.get(server) ?? {} as unknown as HeldConnection
    this.connections.set(server, connection)
    this.now += 10
    this.answers.add({
      connection,
      server,
      origin: server[0],
      host,
      external,
      time: this.now,
      isHeld: true,
      local: { host: localHost, port: 4001 },
      localHost,
      roundTrip: 10
    })

    return this.decide()
  }

  /**
   * The connections of these servers end
   */
  ends (...servers: string[]): this {
    this.now += 10

    for (const server of servers) {
      const connection = this.connections.get(server)
      this.connections.delete(server)

      if (connection != null) {
        this.answers.markEnded(connection, this.now)
      }
    }

    return this.decide()
  }

  passes (ms: number): this {
    this.now += ms

    return this.decide()
  }

  /**
   * So many peers of different networks see an address
   */
  peersSee (external: string, count: number): this {
    this.facts.peers = [
      ...(this.facts.peers ?? []),
      ...Array.from({ length: count }, (_, i) => ({ host: `12.0.${i}.1`, external }))
    ]

    return this.decide()
  }

  known (facts: Partial<Facts>): this {
    Object.assign(this.facts, facts)

    return this
  }

  decide (): this {
    const decision = decide({
      answers: this.answers.list(),
      peers: [],
      connections: this.connections.size,
      connecting: 0,
      askable: 0,
      isHeldOtherwise: false,
      ...this.facts
    }, this.memory, { stunConnections: 2, lifetime: LIFETIME }, this.now)
    const { outcome } = decision
    this.decision = decision
    this.memory = decision.memory
    this.asked = decision.ask.map(({ server }) => server)
    decision.expired.forEach(({ connection }) => { this.answers.forget(connection) })
    decision.reject.forEach(({ server }) => { this.drop(server, this.rejected) })
    const keep = decision.keep?.map(({ server }) => server)
    this.answers
      .list()
      .filter(({ server, isHeld }) => isHeld && keep?.includes(server) === false)
      .forEach(({ server }) => { this.drop(server) })

    const address = outcome.state === 'mapped' ? outcome.external : '-'

    if (outcome.state !== 'unchanged' && address !== (this.announced.at(-1) ?? '-')) {
      this.announced.push(address)
    }

    return this
  }

  get state (): string | undefined {
    return this.decision?.outcome.state
  }

  private drop (server: string, list?: string[]): void {
    const connection = this.connections.get(server)
    list?.push(server)

    if (connection != null) {
      this.answers.forget(connection)
      this.connections.delete(server)
    }
  }
}

describe('decide', () => {
  describe('the first address', () => {
    it('is acquiring while servers are connected to, and lost when there is none', () => {
      expect(new Trace({ connections: 1, connecting: 1 }).decide().state).to.equal('acquiring')
      expect(new Trace().decide().state).to.equal('lost')
    })

    it('waits for a second answer as long again as the first took', () => {
      const trace = new Trace({ connecting: 1 }).says('a', X)
      expect(trace.state).to.equal('unchanged')
      expect(trace.decision?.next).to.equal(1_110)
      expect(trace.passes(99).state).to.equal('unchanged')
      expect(trace.passes(1).decision?.outcome).to.include({ state: 'mapped', external: X, behaviour: 'unknown' })
    })

    it('is announced when two servers agree, and the spare connection is ended when it has answered', () => {
      const trace = new Trace({ connecting: 1 }).says('a', X).says('b', X)
      expect(trace.decision?.outcome).to.include({ state: 'mapped', external: X, behaviour: 'endpoint-independent' })
      trace.known({ connecting: 0 }).says('c', X)
      expect(trace.decision?.keep?.map(({ server }) => server)).to.deep.equal(['a', 'b'])
    })

    it('has one spare connection asked, until there is one', () => {
      expect(new Trace({ connections: 3 }).decide().decision?.wanted).to.equal(3)
      expect(new Trace().says('a', X).says('b', X).passes(1).decision?.wanted).to.equal(2)
    })

    it('is none where every server sees another one', () => {
      const trace = new Trace().says('a', X).says('b', Y).says('c', Z).says('a', X)
      expect(trace.state).to.equal('endpoint-dependent')
      expect(trace.ends('b', 'c').passes(LIFETIME).announced).to.deep.equal([X, '-'])
    })
  })

  describe('a lying server', () => {
    it('has no vote after it was outvoted: 1 of 3 lies, 1 of 2 honest ones stops', () => {
      const trace = new Trace({ connecting: 1 })
        .says('a', X)
        .says('l', Y)
        .says('b', X)
        .known({ connecting: 0 })
        .decide()
      expect(trace.announced).to.deep.equal([X])
      expect(trace.rejected).to.deep.equal(['l'])
      trace.ends('a').says('l', Y).says('l', Y).passes(2 * LIFETIME).says('l', Y)
      expect(trace.announced).to.deep.equal([X])
      expect(trace.rejected).to.deep.equal(['l', 'l', 'l', 'l'])
    })

    it('is not believed when it is the last one, and believed again when it agrees', () => {
      const trace = new Trace()
        .says('a', X)
        .says('b', X)
        .says('l', Y)
        .says('a', X)
        .says('b', X)
        .ends('a', 'b')
        .says('l', Y)
        .passes(2 * LIFETIME)
        .says('l', Y)
      expect(trace.announced).to.deep.equal([X, '-'])
      trace.says('a', Z).says('l', Z).ends('a').passes(2 * LIFETIME)
      expect(trace.announced).to.deep.equal([X, '-', Z])
      expect(trace.decision?.outcome).to.deep.include({ servers: ['l'] })
    })

    it('wins nothing against one honest server that hangs up again and again', () => {
      const trace = new Trace({ connecting: 1 }).says('a', X).says('l', Y)

      for (let i = 0; i < 10; i++) {
        trace.ends('a').passes(1_000).says('a', X)
      }

      // and a second voice decides
      expect(trace.announced).to.deep.equal([])
      expect(trace.state).to.equal('endpoint-dependent')
      expect(trace.says('b', X).announced).to.deep.equal([X])
    })

    it('is not believed alone when the honest server is gone for long: one voice is not enough after a contest', () => {
      const trace = new Trace({ connecting: 1 })
        .says('a', X)
        .says('l', Y)
        .ends('a')
        .passes(2 * LIFETIME)
        .says('l', Y)
        .ends('l')
        .passes(2 * LIFETIME)
        .says('l', Y)
      expect(trace.announced).to.deep.equal([])
    })

    it('that begins to lie with a new connection has no vote while a connection supports the address', () => {
      const trace = new Trace().says('a', X).says('b', X).ends('b').says('b', Y)
      expect(trace.asked).to.deep.equal(['a'])
      expect(trace.decision).to.include({ mayRenew: false })
      trace.says('a', X)
      expect(trace.announced).to.deep.equal([X])
      expect(trace.rejected).to.deep.equal(['b'])
    })

    it('that contradicts itself on one connection still proves the mapping by it', () => {
      const trace = new Trace().says('a', X).says('l', X).says('l', Y).ends('a')
      expect(trace.decision?.outcome).to.deep.include({ state: 'mapped', external: X, servers: ['a'] })
      expect(trace.decision?.wanted).to.equal(3)
      trace.passes(2 * LIFETIME)
      expect(trace.announced).to.deep.equal([X])
      expect(trace.rejected).to.deep.equal([])
      // without it, it has no vote
      trace.ends('l').says('l', Y).passes(2 * LIFETIME)
      expect(trace.announced).to.deep.equal([X, '-'])
    })

    it('and another one that agrees with it are outvoted by three honest ones', () => {
      const trace = new Trace({ askable: 3 }).says('l', Y).says('m', Y)
      expect(trace.announced).to.deep.equal([Y])
      trace.says('a', X).says('l', Y).says('m', Y)
      expect(trace.state).to.equal('unchanged')
      expect(trace.decision?.wanted).to.equal(5)
      trace.known({ askable: 1 }).says('b', X).known({ askable: 0 }).says('c', X)
      expect(trace.announced).to.deep.equal([Y, X])
      expect(trace.rejected).to.have.members(['l', 'm'])
    })

    it('is outvoted at the start only after the servers were asked that could turn it', () => {
      const trace = new Trace({ askable: 2, connecting: 1 }).says('l', Y).says('a', X).says('m', Y)
      expect(trace.announced).to.deep.equal([])
      trace.known({ askable: 1 }).says('b', X).known({ askable: 0 }).says('c', X)
      expect(trace.announced).to.deep.equal([X])
    })
  })

  describe('a change of address', () => {
    it('is announced by the first server that reports it when no connection supports the old one', () => {
      const trace = new Trace().says('a', X).says('b', X).ends('a', 'b').says('a', Y)
      expect(trace.announced).to.deep.equal([X, Y])
      expect(trace.says('b', Y).announced).to.deep.equal([X, Y])
    })

    it('waits for the second server that is being asked', () => {
      const trace = new Trace().says('a', X).says('b', X).ends('a', 'b').known({ connecting: 1 }).says('b', Y)
      expect(trace.state).to.equal('unchanged')
      expect(trace.known({ connecting: 0 }).says('a', Z).announced).to.deep.equal([X, '-'])
    })

    it('is not announced while a connection supports the old one, which may be dead', () => {
      const trace = new Trace().says('a', X).says('b', X).ends('a').says('a', Y)
      expect(trace.asked).to.deep.equal(['b'])
      expect(trace.announced).to.deep.equal([X])
      trace.ends('b')
      expect(trace.announced).to.deep.equal([X, Y])
      expect(trace.rejected).to.be.empty()
    })

    it('is believed when the server that supports the old one is silent, and stays when it answers later', () => {
      const trace = new Trace().says('a', X).says('b', X).ends('a').says('a', Y)
      expect(trace.decision?.next).to.equal(1_040 + 250)
      expect(trace.passes(249).announced).to.deep.equal([X])
      expect(trace.passes(1).announced).to.deep.equal([X, Y])
      expect(trace.passes(1_000).announced).to.deep.equal([X, Y])
      expect(trace.ends('b').says('b', Y).announced).to.deep.equal([X, Y])
    })

    it('is not decided between two servers that never agreed: nothing is announced', () => {
      const trace = new Trace().says('a', X).says('b', Y).says('a', X)
      expect(trace.announced).to.deep.equal([X, '-'])
      expect(trace.state).to.equal('endpoint-dependent')
    })

    it('is none when an address comes back: after the second return the NAT has a pool of addresses', () => {
      const trace = new Trace()

      for (const external of [X, Y, X, Y, X, Y, X]) {
        trace.says('a', external).passes(3_000).ends('a')
      }

      expect(trace.announced).to.deep.equal([X, Y, X, '-'])
      expect(trace.decision?.outcome).to.include({ state: 'endpoint-dependent', isPooled: true })

      // believed again when it stayed the same for five minutes
      trace.says('a', X).passes(4 * 60_000)
      expect(trace.decision?.outcome).to.include({ isPooled: true })
      expect(trace.passes(60_000).announced).to.deep.equal([X, Y, X, '-', X])
    })

    it('is one when only the ports are new: a router that was rebooted again and again', () => {
      const trace = new Trace()
      const addresses = Array.from({ length: 10 }, (_, i) => `/ip4/11.0.0.1/tcp/${4_000 + i}`)

      for (const external of addresses) {
        trace.says('a', external).passes(3_000).ends('a')
      }

      expect(trace.announced).to.deep.equal(addresses)
    })
  })

  describe('two local addresses', () => {
    it('are two NATs, not an endpoint-dependent one', () => {
      const trace = new Trace().says('a', X).says('b', Y, { localHost: '10.0.0.2' })
      expect(trace.announced).to.deep.equal([X])
      expect(trace.rejected).to.be.empty()
      expect(
        trace
          .ends('a')
          .passes(2 * LIFETIME)
          .says('b', Y, { localHost: '10.0.0.2' }).announced
      ).to.deep.equal([X, Y])
    })

    it('that follow each other are a change, and an old contest is none any longer', () => {
      const trace = new Trace({ connecting: 1 }).says('a', X).says('b', Y).ends('a', 'b').passes(2 * LIFETIME)
      trace.says('a', Z, { localHost: '10.0.0.2' }).passes(1_000)
      expect(trace.announced).to.deep.equal([Z])
    })
  })

  describe('peers', () => {
    it('confirm the address of one server, but three networks that see another one outweigh it', () => {
      const trace = new Trace().says('a', X).peersSee(X, 1)
      expect(trace.decision?.outcome).to.include({ behaviour: 'endpoint-independent' })
      trace.peersSee(Y, 5)
      expect(trace.decision?.outcome).to.include({ state: 'mapped' })
      // one peer's confirmation is not permanent
      trace.peersSee(Y, 1)
      expect(trace.state).to.equal('endpoint-dependent')
    })

    it('reopen the question when enough networks contradict servers that agree: the servers decide', () => {
      const trace = new Trace().says('l', Y).says('m', Y).passes(3_600_000)
      trace.known({ askable: 3 }).peersSee(X, 16)
      expect(trace.state).to.equal('unchanged')
      expect(trace.decision?.wanted).to.equal(5)
      trace.known({ askable: 0 }).says('a', X).says('b', X).says('c', X).says('l', Y).says('m', Y)
      expect(trace.announced).to.deep.equal([Y, X])
    })

    it('change nothing when the servers stand by the address', () => {
      const trace = new Trace().says('a', X).says('b', X).known({ askable: 1 }).peersSee(Y, 16)
      expect(trace.known({ askable: 0 }).says('c', X).announced).to.deep.equal([X])
      // and not again and again
      expect(trace.known({ askable: 3 }).passes(60_000).state).to.equal('mapped')
    })

    it('give a voice back after a contest without a winner', () => {
      const trace = new Trace({ connecting: 1 })
        .says('a', X)
        .says('l', Y)
        .ends('l')
        .known({ connecting: 0 })
        .passes(2 * LIFETIME)
      expect(trace.announced).to.deep.equal([])
      expect(trace.peersSee(X, 3).announced).to.deep.equal([X])
    })
  })

  describe('an address whose connections have all ended', () => {
    it('is lost two keep-alive intervals later', () => {
      const trace = new Trace().says('a', X).ends('a')
      expect(trace.decision?.next).to.equal(1_020 + LIFETIME)
      expect(trace.passes(LIFETIME - 1).announced).to.deep.equal([X])
      expect(trace.passes(1).announced).to.deep.equal([X, '-'])
      expect(trace.state).to.equal('lost')
    })

    it('stays while something else holds the mapping', () => {
      const trace = new Trace()
        .says('a', X)
        .known({ isHeldOtherwise: true })
        .ends('a')
        .passes(10 * LIFETIME)
        .passes(10 * LIFETIME)
      expect(trace.announced).to.deep.equal([X])
      expect(trace.known({ isHeldOtherwise: false }).passes(LIFETIME).announced).to.deep.equal([X, '-'])
    })
  })

  it('does not change what it is given', () => {
    const trace = new Trace().says('a', X).says('b', Y)
    const memory = trace.decision?.memory ?? NO_MEMORY
    const before = JSON.stringify(memory)
    trace.says('c', W).ends('a').says('b', W)
    expect(JSON.stringify(memory)).to.equal(before)
  })
})
