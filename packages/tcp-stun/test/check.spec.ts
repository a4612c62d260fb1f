import { expect } from 'aegir/chai'
import {
  STUNAlternateServerError, STUNCertificateError, STUNErrorResponseError, STUNProtocolError, STUNResolveError
} from 'libp2p-tcp-stun/stun'
import { findCarrierNAT, findNAT64 } from '../src/check/carrier-nat.ts'
import { findMapping } from '../src/check/mapping-behaviour.ts'
import { EXIT_CODES, bestOf, findVerdict } from '../src/check/verdict.ts'
import { failureLine, findingLines, unresolvedLine } from '../src/cli/check-text.ts'
import { verdictText } from '../src/cli/verdict-text.ts'
import type { DialBackResult } from '../src/check/dial-back.ts'
import type { FailedQuery, Findings } from '../src/check/findings.ts'
import type { View } from '../src/check/mapping-behaviour.ts'
import type { Verdict } from '../src/check/verdict.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

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
    {
      title: 'two ports of one address that agree',
      seen: ['11.0.0.1:1 > 11.1.0.1:4001', '11.0.0.1:2 > 11.1.0.1:4001'],
      behaviour: 'unknown',
      external: 4001
    },
    {
      title: 'two addresses that agree',
      seen: ['11.0.0.1:1 > 11.1.0.1:4001', '11.0.0.2:1 > 11.1.0.1:4001'],
      behaviour: 'endpoint-independent',
      external: 4001
    },
    {
      title: 'two addresses that differ',
      seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.1.0.1:6'],
      behaviour: 'endpoint-dependent'
    },
    {
      title: 'two addresses that see another host',
      seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.1.0.2:5'],
      behaviour: 'endpoint-dependent'
    },
    {
      title: 'addresses that differ, ports that agree',
      seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.1:2 > 11.1.0.1:5', '11.0.0.2:1 > 11.1.0.1:6'],
      behaviour: 'address-dependent'
    },
    {
      title: 'ports that differ',
      seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.1:2 > 11.1.0.1:6', '11.0.0.2:1 > 11.1.0.1:7'],
      behaviour: 'address-and-port-dependent'
    },
    {
      title: 'a liar among three',
      seen: ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.9.9.9:6', '11.0.0.3:1 > 11.1.0.1:5'],
      behaviour: 'endpoint-independent',
      external: 5
    }
  ]) {
    it(`${title}: ${behaviour}`, () => {
      const mapping = findMapping(views(...seen))

      expect(mapping.behaviour).to.equal(behaviour)
      expect(mapping.external?.port).to.equal(external)
    })
  }

  it('names who is outvoted', () => {
    const { dissenters } = findMapping(
      views('11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.9.9.9:6', '11.0.0.3:1 > 11.1.0.1:5')
    )

    expect(dissenters.map(({ server }) => server)).to.deep.equal(['stun:11.0.0.2'])
  })
})

describe('the verdict', () => {
  const peer = '/ip4/11.0.0.9/tcp/4001'
  const admitted: DialBackResult = { outcome: 'reached', peer, stranger: true }
  const contacted: DialBackResult = { outcome: 'reached', peer, stranger: false }
  const refused: DialBackResult = { outcome: 'not-reached', peer }
  const failed: DialBackResult = { outcome: 'failed', error: new Error('no') }
  const noPeer: DialBackResult = { outcome: 'not-asked', because: 'no-peer' }
  const noAddress: DialBackResult = { outcome: 'not-asked', because: 'no-address' }
  const one = ['11.0.0.1:1 > 11.1.0.1:4001']
  const agree = [...one, '11.0.0.2:1 > 11.1.0.1:4001']
  const differ = ['11.0.0.1:1 > 11.1.0.1:5', '11.0.0.2:1 > 11.1.0.1:6']
  const direct = ['11.0.0.1:1 > 192.168.1.2:4001']
  const silent = new Error('no answer')
  const unresolved = new STUNResolveError('no such name')
  const unauthorised = new STUNErrorResponseError(401, 'Unauthorized')

  const rows: Array<{
    title: string
    seen?: string[]
    dialBack?: DialBackResult
    verdict: Verdict
    failures?: Error[]
    addresses?: number
    mapped?: Endpoint
    nat64?: boolean
    forwarded?: number
  }> = [
    { title: 'a stranger dialled in', seen: agree, dialBack: admitted, verdict: { kind: 'anyone' } },
    { title: 'a stranger dialled in, one server', seen: one, dialBack: admitted, verdict: { kind: 'anyone' } },
    { title: 'a stranger dialled in, no NAT', seen: direct, dialBack: admitted, verdict: { kind: 'anyone' } },
    {
      title: 'a contacted peer dialled in',
      seen: agree,
      dialBack: contacted,
      verdict: { kind: 'inconclusive', because: 'peer-contacted' }
    },
    { title: 'a stranger was kept out', seen: agree, dialBack: refused, verdict: { kind: 'hole-punching' } },
    { title: 'a stranger was kept out, no NAT', seen: direct, dialBack: refused, verdict: { kind: 'hole-punching' } },
    {
      title: 'a stranger was kept out, one server',
      seen: one,
      dialBack: refused,
      verdict: { kind: 'inconclusive', because: 'one-view' }
    },
    {
      title: 'the peer failed',
      seen: agree,
      dialBack: failed,
      verdict: { kind: 'inconclusive', because: 'peer-failed' }
    },
    {
      title: 'no peer was asked',
      seen: agree,
      dialBack: noPeer,
      verdict: { kind: 'inconclusive', because: 'not-asked' }
    },
    {
      title: 'no peer was asked, no NAT',
      seen: direct,
      dialBack: noPeer,
      verdict: { kind: 'inconclusive', because: 'not-asked' }
    },
    { title: 'the servers differ', seen: differ, verdict: { kind: 'relay' } },
    {
      title: 'a stranger dialled in at a forwarded port, the servers differ',
      seen: differ,
      dialBack: admitted,
      forwarded: 4001,
      verdict: { kind: 'anyone' }
    },
    {
      title: 'a stranger was kept out at a forwarded port, the servers differ',
      seen: differ,
      dialBack: refused,
      forwarded: 4001,
      verdict: { kind: 'relay' }
    },
    {
      title: 'a stranger was kept out at a forwarded port',
      seen: agree,
      dialBack: refused,
      forwarded: 80,
      verdict: { kind: 'inconclusive', because: 'forward-failed' }
    },
    { title: 'no server answered', failures: [silent], verdict: { kind: 'no-address', because: 'no-answer' } },
    { title: 'no server is named', verdict: { kind: 'no-address', because: 'no-server' } },
    { title: 'there is no network', addresses: 0, verdict: { kind: 'no-address', because: 'no-network' } },
    {
      title: 'no name was resolved',
      failures: [unresolved, unresolved],
      verdict: { kind: 'no-address', because: 'no-dns' }
    },
    {
      title: 'one name was resolved',
      failures: [unresolved, silent],
      verdict: { kind: 'no-address', because: 'no-answer' }
    },
    {
      title: 'every server wants credentials',
      failures: [unauthorised, unauthorised],
      verdict: { kind: 'no-address', because: 'refused' }
    },
    {
      title: 'one server wants credentials, one is silent',
      failures: [unauthorised, silent],
      verdict: { kind: 'no-address', because: 'no-answer' }
    },
    {
      title: 'no server is a STUN server',
      failures: [new STUNProtocolError('it is an SSH server'), new STUNCertificateError('not trusted')],
      verdict: { kind: 'no-address', because: 'unusable' }
    },
    {
      title: 'servers refer to each other, or want credentials',
      failures: [new STUNAlternateServerError('a circle'), unauthorised],
      verdict: { kind: 'no-address', because: 'unusable' }
    },
    {
      title: 'the server reports a private address',
      failures: [new Error('a private address')],
      mapped: { host: '192.168.1.1', port: 4001 },
      verdict: { kind: 'no-address', because: 'unusable' }
    },
    {
      title: 'one server is no STUN server, one is silent',
      failures: [new STUNProtocolError('it is an SSH server'), silent],
      verdict: { kind: 'no-address', because: 'no-answer' }
    },
    {
      title: 'a NAT64 is on the way',
      failures: [silent],
      nat64: true,
      verdict: { kind: 'no-address', because: 'nat64' }
    }
  ]

  for (const { title, seen = [], dialBack = noAddress, verdict, ...row } of rows) {
    it(`${title}: ${verdict.kind}`, () => {
      const { failures = [], mapped, addresses = 1, nat64, forwarded } = row
      const { behaviour, external } = findMapping(views(...seen))

      expect(findVerdict({
        addresses: Array.from({ length: addresses }, () => ({ host: LOCAL.host, interface: 'eth0', scope: 'private' })),
        views: views(...seen).map(view => ({ ...view, roundTrip: 1 })),
        failures: failures.map(error => ({ server: 'stun:11.0.0.1', error, mapped })),
        mapping: behaviour,
        external,
        direct: external?.host === LOCAL.host,
        nat64: nat64 === true ? LOCAL : undefined,
        dialed: forwarded == null ? external : { host: '11.1.0.1', port: forwarded },
        dialBack
      })).to.deep.equal(verdict)
    })
  }

  it('is that of the better IP version', () => {
    const kinds: Array<Verdict['kind']> = ['anyone', 'inconclusive', 'hole-punching', 'relay', 'no-address']
    const all = rows.map(({ verdict }) => ({ verdict }))

    for (const [i, kind] of kinds.entries()) {
      expect(bestOf(all.filter(({ verdict }) => kinds.indexOf(verdict.kind) >= i))?.verdict.kind).to.equal(kind)
    }
  })

  it('has an exit code of its own for each kind', () => {
    expect(new Set(Object.values(EXIT_CODES)).size).to.equal(Object.keys(EXIT_CODES).length)
  })

  it('has words of its own for each reason', () => {
    const texts = rows.map(({ verdict }) => ({ verdict, ...verdictText(verdict) }))

    for (const { title, explanation } of texts) {
      expect(title.length).to.be.within(5, 60)
      expect(explanation).to.match(/^[A-Z].*\S$/)
    }

    const verdicts = new Set(texts.map(({ verdict }) => JSON.stringify(verdict)))
    expect(new Set(texts.map(({ title, explanation }) => title + explanation)).size).to.equal(verdicts.size)
  })
})

describe('a NAT of the carrier', () => {
  const none = { views: [], failures: [], direct: false }

  it('shows in the local address', () => {
    expect(findCarrierNAT({ ...none, local: { host: '100.64.3.4', port: 1 } })).to.include({
      seen: 'yes',
      evidence: 'local-address'
    })
    expect(findCarrierNAT({ ...none, local: { host: '100.128.0.1', port: 1 } })).to.deep.equal({ seen: 'unknown' })
  })

  it('shows in what a server inside its network reports', () => {
    const failures = [
      { server: 'stun:100.64.0.9', error: new Error('private'), mapped: { host: '100.64.0.2', port: 1 } }
    ]

    expect(findCarrierNAT({ ...none, local: LOCAL, failures })).to.deep.equal({
      seen: 'yes',
      evidence: 'server-inside',
      address: '100.64.0.2'
    })
  })

  const seen = views('11.0.0.1:1 > 11.1.0.1:4001', '11.0.0.2:1 > 11.1.0.1:4001')
    .map(view => ({ ...view, roundTrip: 1 }))
  const router = (...external: Array<string | null>): Pick<Findings, 'portMapping'> => ({
    portMapping: {
      gateway: '192.168.1.1',
      protocols: external.map(external => ({ name: 'UPnP', roundTrip: 1, external }))
    }
  })

  for (const { title, evidence, expected } of [
    {
      title: 'the router has the address that servers see',
      evidence: router('11.1.0.1'),
      expected: { seen: 'no', evidence: 'router-address' }
    },
    {
      title: 'the router has it on one of two connections',
      evidence: router(null, '11.1.0.1'),
      expected: { seen: 'no', evidence: 'router-address' }
    },
    {
      title: 'the router has an address of a carrier',
      evidence: router('100.64.0.2'),
      expected: { seen: 'yes', evidence: 'router-address', address: '100.64.0.2' }
    },
    {
      title: 'the router has no address',
      evidence: router(null),
      expected: { seen: 'yes', evidence: 'router-without-address' }
    },
    { title: 'the router says nothing', evidence: router(), expected: { seen: 'unknown' } },
    {
      title: 'the address is one hop away',
      evidence: { distance: 1 },
      expected: { seen: 'no', evidence: 'distance' }
    },
    {
      title: 'the address is two hops away',
      evidence: { distance: 2 },
      expected: { seen: 'yes', evidence: 'distance', hops: 2 }
    },
    {
      title: 'the router has the address, which another host behind it answers for',
      evidence: { ...router('11.1.0.1'), distance: 2 },
      expected: { seen: 'no', evidence: 'router-address' }
    }
  ]) {
    it(`${title}: ${expected.seen}`, () => {
      expect(findCarrierNAT({ ...none, local: LOCAL, views: seen, ...evidence })).to.deep.equal(expected)
    })
  }

  it('is ruled out by a public local address', () => {
    const local = { host: '11.1.0.1', port: 4001 }

    expect(findCarrierNAT({ ...none, direct: true, local, external: local })).to.deep.equal({
      seen: 'no',
      evidence: 'local-address'
    })
  })
})

describe('a NAT64', () => {
  const failures: FailedQuery[] = [
    {
      server: 'stun:[64:ff9b::b00:1]',
      error: new Error('not an IPv6 address'),
      mapped: { host: '11.1.0.1', port: 4001 }
    }
  ]

  it('shows in an IPv4 address that a server reports for an IPv6 connection', () => {
    expect(findNAT64({ version: 6, failures })).to.deep.equal({ host: '11.1.0.1', port: 4001 })
    expect(findNAT64({ version: 4, failures })).to.equal(undefined)
    expect(
      findNAT64({
        version: 6,
        failures: [{ server: 'stun:[fd00::1]', error: new Error('private'), mapped: { host: 'fd00::2', port: 1 } }]
      })
    ).to.equal(undefined)
  })

  it('is named, although no server gave a usable address', () => {
    const lines = findingLines({ version: 6, views: [], nat64: { host: '11.1.0.1', port: 4001 } } as any)

    expect(lines).to.have.lengthOf(1)
    expect(lines[0]).to.include({ label: 'NAT64' })
    expect(lines[0].text).to.include('11.1.0.1:4001')
  })
})

describe('the line of a failed query', () => {
  it('explains what 401 means', () => {
    const { text } = failureLine({
      server: 'stuns:stun.example.org',
      error: new STUNErrorResponseError(401, 'Unauthorized')
    })

    expect(text).to.equal(
      'stuns:stun.example.org: STUN server answered 401 Unauthorized: it only serves users with a name and a ' +
        'password: use another server, or its stunCredential'
    )
  })

  it('names all servers that could not be resolved, and the cause once', () => {
    const failures = ['a', 'b', 'c'].map(name => ({
      server: `stun:${name}.example.org`,
      error: new STUNResolveError(`Could not resolve ${name}`, {
        cause: Object.assign(new Error('no'), { code: 'EAI_AGAIN' })
      })
    }))
    const { text } = unresolvedLine(failures)

    expect(text).to.equal(
      'the names of 3 servers could not be resolved (EAI_AGAIN): stun:a.example.org, stun:b.example.org, ' +
        'stun:c.example.org'
    )
    expect(unresolvedLine(failures.slice(0, 1)).text).to.include('Could not resolve a')
    // both IP versions ask for each name
    expect(unresolvedLine([...failures, ...failures]).text).to.equal(text)
  })
})
