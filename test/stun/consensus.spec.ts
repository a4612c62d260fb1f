import { expect } from 'aegir/chai'
import { findConsensus } from '../../src/stun/consensus.ts'
import type { Observation } from '../../src/stun/consensus.ts'

const X = '/ip4/11.0.0.1/tcp/4001'
const Y = '/ip4/11.0.0.1/tcp/4002'
const Z = '/ip4/11.0.0.1/tcp/4003'

function saw (server: string, external: string, overrides: Partial<Observation> = {}): Observation {
  return { server, origin: server, host: `host-${server}`, external, ...overrides }
}

/**
 * What the servers say, and what that means
 */
const cases: Array<{
  title: string
  observations: Observation[]
  verdict: string
  external?: string
  behaviour?: string
  dissenters?: string[]
}> = [
  {
    title: 'no server has answered',
    observations: [],
    verdict: 'none'
  },
  {
    title: 'one server alone',
    observations: [saw('a', X)],
    verdict: 'agreed',
    external: X,
    behaviour: 'unknown'
  },
  {
    title: 'two servers agree',
    observations: [saw('a', X), saw('b', X)],
    verdict: 'agreed',
    external: X,
    behaviour: 'endpoint-independent'
  },
  {
    title: 'two servers at one address agree',
    observations: [saw('a', X, { host: 'h' }), saw('b', X, { host: 'h' })],
    verdict: 'agreed',
    external: X,
    behaviour: 'unknown'
  },
  {
    title: 'two servers differ',
    observations: [saw('a', X), saw('b', Y)],
    verdict: 'endpoint-dependent'
  },
  {
    title: 'three servers all differ',
    observations: [saw('a', X), saw('b', Y), saw('c', Z)],
    verdict: 'endpoint-dependent'
  },
  {
    title: 'one of three lies',
    observations: [saw('a', X), saw('b', Y), saw('c', X)],
    verdict: 'agreed',
    external: X,
    behaviour: 'endpoint-independent',
    dissenters: ['b']
  },
  {
    title: 'two ports of one host agree against another host, as behind address-dependent mapping',
    observations: [saw('a', X, { host: 'h' }), saw('b', Y), saw('c', X, { host: 'h' })],
    verdict: 'endpoint-dependent'
  },
  {
    title: 'two endpoints of one server agree, which is one opinion, against another server',
    observations: [saw('a', X), saw('b', Y), saw('a2', X, { origin: 'a' })],
    verdict: 'endpoint-dependent'
  },
  {
    title: 'two endpoints of one server agree with another server, against a third',
    observations: [saw('a', X), saw('b', X), saw('a2', X, { origin: 'a' }), saw('c', Y)],
    verdict: 'agreed',
    external: X,
    behaviour: 'endpoint-independent',
    dissenters: ['c']
  },
  {
    title: 'a liar with three endpoints against two honest servers',
    observations: [saw('l', Y), saw('l2', Y, { origin: 'l' }), saw('l3', Y, { origin: 'l' }), saw('a', X), saw('b', X)],
    verdict: 'agreed',
    external: X,
    behaviour: 'endpoint-independent',
    dissenters: ['l', 'l2', 'l3']
  },
  {
    title: 'two endpoints of the only server agree',
    observations: [saw('a', X), saw('a2', X, { origin: 'a' })],
    verdict: 'agreed',
    external: X,
    behaviour: 'endpoint-independent'
  },
  {
    title: 'two endpoints of the only server differ',
    observations: [saw('a', X), saw('a2', Y, { origin: 'a' })],
    verdict: 'endpoint-dependent'
  },
  {
    title: 'two against two',
    observations: [saw('a', X), saw('b', Y), saw('c', X), saw('d', Y)],
    verdict: 'endpoint-dependent'
  }
]

describe('consensus', () => {
  cases.forEach(({ title, observations, ...expected }) => {
    it(title, () => {
      const consensus = findConsensus(observations)

      expect({
        verdict: consensus.verdict,
        ...('external' in consensus ? { external: consensus.external, behaviour: consensus.behaviour } : {}),
        ...('dissenters' in consensus && consensus.dissenters.length > 0
          ? { dissenters: consensus.dissenters.map(({ server }) => server) }
          : {})
      }).to.deep.equal(expected)
    })
  })
})
