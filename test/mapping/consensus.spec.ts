import { expect } from 'aegir/chai'
import { findConsensus } from '../../src/mapping/consensus.ts'
import type { Observation } from '../../src/mapping/consensus.ts'

const X = '/ip4/11.0.0.1/tcp/4001'
const Y = '/ip4/11.0.0.1/tcp/4002'
const Z = '/ip4/11.0.0.1/tcp/4003'

function saw (server: string, external: string, overrides: Partial<Observation> = {}): Observation {
  return { server, origin: server, host: `host-${server}`, external, time: 100, held: true, ...overrides }
}

/**
 * `a=X b=Y` as: who is announced, or why nobody is
 */
const cases: Array<{ title: string, observations: Observation[], contestedSince?: number, verdict: string, external?: string, behaviour?: string, dissenters?: string[], again?: string[] }> = [{
  title: 'nobody said anything',
  observations: [],
  verdict: 'none'
}, {
  title: 'one server alone',
  observations: [saw('a', X)],
  verdict: 'agreed',
  external: X,
  behaviour: 'unknown'
}, {
  title: 'two servers agree',
  observations: [saw('a', X), saw('b', X)],
  verdict: 'agreed',
  external: X,
  behaviour: 'endpoint-independent'
}, {
  title: 'two servers at one address agree',
  observations: [saw('a', X, { host: 'h' }), saw('b', X, { host: 'h' })],
  verdict: 'agreed',
  external: X,
  behaviour: 'unknown'
}, {
  title: 'two servers differ for the first time',
  observations: [saw('a', X), saw('b', Y)],
  verdict: 'contested',
  again: ['a', 'b']
}, {
  title: 'two servers differ and one was asked again',
  observations: [saw('a', X, { time: 200 }), saw('b', Y)],
  contestedSince: 150,
  verdict: 'contested',
  again: ['b']
}, {
  title: 'two servers still differ',
  observations: [saw('a', X, { time: 200 }), saw('b', Y, { time: 201 })],
  contestedSince: 150,
  verdict: 'endpoint-dependent'
}, {
  title: 'three servers all differ',
  observations: [saw('a', X, { time: 200 }), saw('b', Y, { time: 201 }), saw('c', Z, { time: 202 })],
  contestedSince: 150,
  verdict: 'endpoint-dependent'
}, {
  title: 'one of three lies',
  observations: [saw('a', X, { time: 200 }), saw('b', Y, { time: 201 }), saw('c', X, { time: 202 })],
  contestedSince: 150,
  verdict: 'agreed',
  external: X,
  behaviour: 'endpoint-independent',
  dissenters: ['b']
}, {
  title: 'two ports of one host agree against another host, as behind address-dependent mapping',
  observations: [saw('a', X, { time: 200, host: 'h' }), saw('b', Y, { time: 201 }), saw('c', X, { time: 202, host: 'h' })],
  contestedSince: 150,
  verdict: 'endpoint-dependent'
}, {
  title: 'two endpoints of one server agree, which is one opinion, against another server',
  observations: [saw('a', X, { time: 200 }), saw('b', Y, { time: 201 }), saw('a2', X, { time: 202, origin: 'a' })],
  contestedSince: 150,
  verdict: 'endpoint-dependent'
}, {
  title: 'two endpoints of one server agree with another server, against a third',
  observations: [saw('a', X, { time: 200 }), saw('b', X, { time: 201 }), saw('a2', X, { time: 202, origin: 'a' }), saw('c', Y, { time: 203 })],
  contestedSince: 150,
  verdict: 'agreed',
  external: X,
  behaviour: 'endpoint-independent',
  dissenters: ['c']
}, {
  title: 'a liar with three endpoints against two honest servers',
  observations: [saw('l', Y, { time: 200 }), saw('l2', Y, { time: 201, origin: 'l' }), saw('l3', Y, { time: 202, origin: 'l' }), saw('a', X, { time: 203 }), saw('b', X, { time: 204 })],
  contestedSince: 150,
  verdict: 'agreed',
  external: X,
  behaviour: 'endpoint-independent',
  dissenters: ['l', 'l2', 'l3']
}, {
  title: 'two endpoints of the only server agree',
  observations: [saw('a', X), saw('a2', X, { origin: 'a' })],
  verdict: 'agreed',
  external: X,
  behaviour: 'endpoint-independent'
}, {
  title: 'two endpoints of the only server differ',
  observations: [saw('a', X, { time: 200 }), saw('a2', Y, { time: 201, origin: 'a' })],
  contestedSince: 150,
  verdict: 'endpoint-dependent'
}, {
  title: 'two against two',
  observations: [saw('a', X, { time: 200 }), saw('b', Y, { time: 200 }), saw('c', X, { time: 200 }), saw('d', Y, { time: 200 })],
  contestedSince: 150,
  verdict: 'endpoint-dependent'
}, {
  title: 'a change of address after the old connection died',
  observations: [saw('a', X, { held: false }), saw('b', Y, { time: 200 })],
  contestedSince: 150,
  verdict: 'agreed',
  external: Y,
  behaviour: 'unknown'
}, {
  title: 'only connections that have ended',
  observations: [saw('a', X, { held: false }), saw('b', X, { held: false })],
  verdict: 'agreed',
  external: X,
  behaviour: 'endpoint-independent'
}]

describe('consensus', () => {
  cases.forEach(({ title, observations, contestedSince, ...expected }) => {
    it(title, () => {
      const consensus = findConsensus(observations, { contestedSince })

      expect({
        verdict: consensus.verdict,
        ...('external' in consensus ? { external: consensus.external, behaviour: consensus.behaviour } : {}),
        ...('dissenters' in consensus && consensus.dissenters.length > 0 ? { dissenters: consensus.dissenters.map(({ server }) => server) } : {}),
        ...('again' in consensus ? { again: consensus.again.map(({ server }) => server) } : {})
      }).to.deep.equal(expected)
    })
  })
})
