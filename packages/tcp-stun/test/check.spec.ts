import { expect } from 'aegir/chai'
import { findCarrierNAT } from '../src/check/carrier-nat.ts'
import { findMapping } from '../src/check/mapping-behaviour.ts'
import { EXIT_CODES, bestOf, findVerdict } from '../src/check/verdict.ts'
import { verdictText } from '../src/cli/check-text.ts'
import type { View } from '../src/check/mapping-behaviour.ts'
import type { OutsideResult } from '../src/check/outside.ts'
import type { Verdict } from '../src/check/verdict.ts'

const LOCAL = { host: '192.168.1.2', port: 4001 }

/**
 * `11.0.0.1:3478 > 11.1.0.1:4001`: asked there, seen so
 */
function views (...lines: string[]): View[] {
  return lines.map(line => {
    const [endpoint, external] = line.split(' > ').map(text => {
      const [host, port] = text.split(':')

      return { host, port: Number(port) }
    })

    return { server: `stun:${endpoint.host}`, endpoint, external }
  })
}

describe('the mapping behaviour (RFC 5780, section 4.3)', () => {
  for (const { title, seen, behaviour, external } of [
    { title: 'nobody', seen: [], behaviour: 'unknown' },
    { title: 'one server', seen: ['11.0.0.1:1 > 11.1.0.1:4001'], behaviour: 'unknown', external: 4001 },
    { title: 'two ports of one address that agree', seen: ['11.0.0.1:1 > 11.1.0.1:4001', '11.0.0.1:2 > 11.1.0.1:4001'], behaviour: 'unknown', external: 4001 },
    { title: 'two addresses that agree', seen: ['11.0.0.1:1 > 11.1.0.1:4001', '11.0.0.2:1 > 11.1.0.1:4001'], behaviour: 'endpoint-independent', external: 4001 },
    { title: 'two addresses that differ', seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.1.0.1:6'], behaviour: 'endpoint-dependent' },
    { title: 'two addresses that see another host', seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.1.0.2:5'], behaviour: 'endpoint-dependent' },
    { title: 'addresses that differ, ports that agree', seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.1:2 > 11.1.0.1:5', '11.0.0.2:1 > 11.1.0.1:6'], behaviour: 'address-dependent' },
    { title: 'ports that differ', seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.1:2 > 11.1.0.1:6', '11.0.0.2:1 > 11.1.0.1:7'], behaviour: 'address-and-port-dependent' },
    { title: 'a liar among three', seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.9.9.9:6', '11.0.0.3:1 > 11.1.0.1:5'], behaviour: 'endpoint-independent', external: 5 }
  ]) {
    it(`${title}: ${behaviour}`, () => {
      const mapping = findMapping(views(...seen))

      expect(mapping.behaviour).to.equal(behaviour)
      expect(mapping.external?.port).to.equal(external)
    })
  }

  it('names who is outvoted', () => {
    const { dissenters } = findMapping(views('11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.9.9.9:6', '11.0.0.3:1 > 11.1.0.1:5'))

    expect(dissenters.map(({ server }) => server)).to.deep.equal(['stun:11.0.0.2'])
  })
})

describe('the verdict', () => {
  const helper = '/ip4/11.0.0.9/tcp/4001'
  const stranger: OutsideResult = { outcome: 'reached', helper, stranger: true }
  const known: OutsideResult = { outcome: 'reached', helper, stranger: false }
  const kept: OutsideResult = { outcome: 'not-reached', helper }
  const failed: OutsideResult = { outcome: 'failed', error: new Error('no') }
  const silent: OutsideResult = { outcome: 'not-asked', because: 'no-helper' }
  const nobody: OutsideResult = { outcome: 'not-asked', because: 'no-address' }
  const one = ['11.0.0.1:1 > 11.1.0.1:4001']
  const agree = [...one, '11.0.0.2:1 > 11.1.0.1:4001']
  const differ = ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.1.0.1:6']
  const direct = ['11.0.0.1:1 > 192.168.1.2:4001']

  const rows: Array<{ title: string, seen: string[], outside: OutsideResult, verdict: Verdict, failures?: number, addresses?: number }> = [
    { title: 'a stranger dialled in', seen: agree, outside: stranger, verdict: { kind: 'anyone' } },
    { title: 'a stranger dialled in, one server', seen: one, outside: stranger, verdict: { kind: 'anyone' } },
    { title: 'a stranger dialled in, no NAT', seen: direct, outside: stranger, verdict: { kind: 'anyone' } },
    { title: 'one that is known dialled in', seen: agree, outside: known, verdict: { kind: 'perhaps', because: 'helper-known' } },
    { title: 'a stranger was kept out', seen: agree, outside: kept, verdict: { kind: 'punch' } },
    { title: 'a stranger was kept out, no NAT', seen: direct, outside: kept, verdict: { kind: 'punch' } },
    { title: 'a stranger was kept out, one server', seen: one, outside: kept, verdict: { kind: 'perhaps', because: 'one-view' } },
    { title: 'the helper failed', seen: agree, outside: failed, verdict: { kind: 'perhaps', because: 'helper-failed' } },
    { title: 'nobody outside was asked', seen: agree, outside: silent, verdict: { kind: 'perhaps', because: 'not-asked' } },
    { title: 'nobody outside was asked, no NAT', seen: direct, outside: silent, verdict: { kind: 'perhaps', because: 'not-asked' } },
    { title: 'the servers differ', seen: differ, outside: nobody, verdict: { kind: 'relay' } },
    { title: 'no server answered', seen: [], outside: nobody, failures: 1, verdict: { kind: 'nothing', because: 'no-answer' } },
    { title: 'there is no server', seen: [], outside: nobody, verdict: { kind: 'nothing', because: 'no-server' } },
    { title: 'there is no address', seen: [], outside: nobody, addresses: 0, verdict: { kind: 'nothing', because: 'no-address' } }
  ]

  for (const { title, seen, outside, verdict, failures = 0, addresses = 1 } of rows) {
    it(`${title}: ${verdict.kind}`, () => {
      const { behaviour, external } = findMapping(views(...seen))

      expect(findVerdict({
        addresses: Array.from({ length: addresses }, () => ({ host: LOCAL.host, interface: 'eth0', scope: 'private' })),
        views: views(...seen).map(view => ({ ...view, roundTrip: 1 })),
        failures: Array.from({ length: failures }, () => ({ server: 'stun:11.0.0.1', error: new Error('no') })),
        mapping: behaviour,
        external,
        direct: external?.host === LOCAL.host,
        outside
      })).to.deep.equal(verdict)
    })
  }

  it('is that of the better IP version', () => {
    const kinds: Array<Verdict['kind']> = ['anyone', 'perhaps', 'punch', 'relay', 'nothing']
    const all = rows.map(({ verdict }) => ({ verdict }))

    for (const [i, kind] of kinds.entries()) {
      expect(bestOf(all.filter(({ verdict }) => kinds.indexOf(verdict.kind) >= i))?.verdict.kind).to.equal(kind)
    }
  })

  it('has its own exit code and words for each kind', () => {
    expect(new Set(Object.values(EXIT_CODES)).size).to.equal(Object.keys(EXIT_CODES).length)

    for (const { verdict } of rows) {
      const { title, advice } = verdictText(verdict, [])

      expect(title.length).to.be.within(5, 60)
      expect(advice).to.match(/[.?]$/)
    }
  })
})

describe('what is seen of a carrier NAT', () => {
  const none = { views: [], failures: [], direct: false }

  it('the local address', () => {
    expect(findCarrierNAT({ ...none, local: { host: '100.64.3.4', port: 1 } })).to.include({ seen: 'yes', evidence: 'local-address' })
    expect(findCarrierNAT({ ...none, local: { host: '100.128.0.1', port: 1 } })).to.deep.equal({ seen: 'unknown' })
  })

  it('what a server inside reports', () => {
    const failures = [{ server: 'stun:100.64.0.9', error: new Error('private'), mapped: { host: '100.64.0.2', port: 1 } }]

    expect(findCarrierNAT({ ...none, local: LOCAL, failures })).to.deep.equal({ seen: 'yes', evidence: 'server-inside', address: '100.64.0.2' })
  })

  it('none with a public address', () => {
    const local = { host: '11.1.0.1', port: 4001 }

    expect(findCarrierNAT({ ...none, direct: true, local, external: local })).to.deep.equal({ seen: 'no' })
  })
})
