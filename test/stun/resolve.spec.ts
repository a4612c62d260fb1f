import { expect } from 'aegir/chai'
import { STUNResolveError } from '../../src/stun/errors.ts'
import { resolveServer } from '../../src/stun/resolve.ts'
import { parseSTUNURI } from '../../src/stun/uri.ts'
import { zoneDNS } from '../fixtures/dns.ts'

const srv = (
  name: string,
  port: number,
  priority = 0,
  weight = 0
): { name: string; port: number; priority: number; weight: number } => ({ name, port, priority, weight })

describe('resolve a STUN server', () => {
  it('asks nobody about an address', async () => {
    const dns = zoneDNS({})

    expect(await resolveServer(parseSTUNURI('stun:11.0.0.1'), { family: 4, dns })).to.deep.equal([
      { host: '11.0.0.1', port: 3478 }
    ])
    expect(await resolveServer(parseSTUNURI('stuns:[2a00::1]:443'), { family: 6, dns })).to.deep.equal([
      { host: '2a00::1', port: 443 }
    ])
    expect(dns.questions).to.be.empty()
  })

  it('does not take an address of the other family', async () => {
    await expect(resolveServer(parseSTUNURI('stun:11.0.0.1'), { family: 6 })).to.eventually.be.rejectedWith(
      STUNResolveError,
      'IPv4'
    )
    await expect(resolveServer(parseSTUNURI('stun:[2a00::1]'), { family: 4 })).to.eventually.be.rejectedWith(
      STUNResolveError,
      'IPv6'
    )
  })

  it('asks for the address only when there is a port', async () => {
    const dns = zoneDNS({ a: { 'stun.example': ['11.0.0.1', '11.0.0.2'] } })

    expect(await resolveServer(parseSTUNURI('stun:stun.example:80'), { family: 4, dns })).to.deep.equal([
      { host: '11.0.0.1', port: 80 },
      { host: '11.0.0.2', port: 80 }
    ])
    expect(dns.questions).to.deep.equal(['A stun.example'])
  })

  it('takes the SRV record first, by priority and weight', async () => {
    const dns = zoneDNS({
      a: {
        'stun.example': ['11.0.0.9'],
        'a.example': ['11.0.0.1'],
        'b.example': ['11.0.0.2'],
        'c.example': ['11.0.0.3']
      },
      srv: {
        '_stun._tcp.stun.example': [srv('c.example', 3, 20), srv('a.example', 1, 10, 1), srv('b.example', 2, 10, 99)]
      }
    })

    expect(await resolveServer(parseSTUNURI('stun:stun.example'), { family: 4, dns, random: () => 0.5 })).to.deep.equal(
      [
        { host: '11.0.0.2', port: 2 },
        { host: '11.0.0.1', port: 1 },
        { host: '11.0.0.3', port: 3 }
      ]
    )
  })

  it('asks for _stuns._tcp for a stuns URI, and falls back to the default port', async () => {
    const dns = zoneDNS({ aaaa: { 'stun.example': ['2a00::1'] } })

    expect(await resolveServer(parseSTUNURI('stuns:stun.example'), { family: 6, dns })).to.deep.equal([
      { host: '2a00::1', port: 5349 }
    ])
    expect(dns.questions).to.have.members(['AAAA stun.example', 'SRV _stuns._tcp.stun.example'])
  })

  it('falls back when no target of the SRV record resolves, or the service is decidedly not there', async () => {
    const dns = zoneDNS({
      a: { 'stun.example': ['11.0.0.9'], 'no.example': ['11.0.0.8'] },
      srv: { '_stun._tcp.stun.example': [srv('gone.example', 1)], '_stun._tcp.no.example': [srv('', 0)] }
    })

    expect(await resolveServer(parseSTUNURI('stun:stun.example'), { family: 4, dns })).to.deep.equal([
      { host: '11.0.0.9', port: 3478 }
    ])
    expect(await resolveServer(parseSTUNURI('stun:no.example'), { family: 4, dns })).to.deep.equal([
      { host: '11.0.0.8', port: 3478 }
    ])
  })

  it('bounds what a hostile zone can make us ask and try', async () => {
    const targets = Array.from({ length: 1_000 }, (_, i) => srv(`t${i}.example`, 1 + i))
    const dns = zoneDNS({
      a: Object.fromEntries(targets.map(({ name }) => [name, Array.from({ length: 100 }, (_, i) => `11.0.0.${i}`)])),
      srv: { '_stun._tcp.stun.example': targets }
    })

    expect(await resolveServer(parseSTUNURI('stun:stun.example'), { family: 4, dns })).to.have.lengthOf(8)
    expect(dns.questions.length).to.be.lessThan(7)
  })

  it('says which name does not resolve', async () => {
    await expect(
      resolveServer(parseSTUNURI('stun:gone.example'), { family: 4, dns: zoneDNS({}) })
    ).to.eventually.be.rejectedWith(STUNResolveError, 'gone.example')
    await expect(
      resolveServer(parseSTUNURI('stun:empty.example'), { family: 4, dns: zoneDNS({ a: { 'empty.example': [] } }) })
    ).to.eventually.be.rejectedWith(STUNResolveError, 'empty.example')
  })

  it('can be aborted while the resolver is silent', async () => {
    const controller = new AbortController()
    const silent = new Promise<never>(() => {})
    const promise = resolveServer(parseSTUNURI('stun:stun.example'), {
      family: 4,
      dns: { lookup: async () => silent, resolveSrv: async () => silent },
      signal: controller.signal
    })
    controller.abort()

    await expect(promise).to.eventually.be.rejected().with.property('name', 'AbortError')
  })
})
