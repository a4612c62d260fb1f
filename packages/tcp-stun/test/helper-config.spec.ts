import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { asWebSocket, canDial, directAddresses, originOf } from '../src/config/browser-dials.ts'
import { retryDelay, waitsForPartner } from '../src/config/dial-turns.ts'
import { resolveHelpers } from '../src/config/helper-address.ts'
import { helperConfig, mergeConfig } from '../src/config/index.ts'
import { onOwnNetworks } from '../src/config/neighbours.ts'
import { startHelper } from '../src/helper/helper.ts'
import type { PageOrigin } from '../src/config/browser-dials.ts'
import type { Helper } from '../src/helper/options.ts'
import type { Libp2p } from '@libp2p/interface'
import type { DNS } from '@multiformats/dns'

const A = '12D3KooWJoYgWfTBrjUmuE2rZbzJzBrn4DSgFXbXYfsKmCrDAQ3H'
const B = '12D3KooWRhFCXBhmsMnur3up3vJsDoqWh4c39PKXgSWwzAzDHNLn'
const EVENT = { timeout: 30_000 }

/**
 * A DNS with these TXT records only
 */
function zone (records: Record<string, string[]>): DNS {
  return {
    query: async name => ({
      Status: 0,
      TC: false,
      RD: true,
      RA: true,
      AD: false,
      CD: false,
      Question: [],
      Answer: (records[name] ?? []).map(data => ({ name, type: 16, TTL: 60, data }))
    }) as any
  }
}

describe('the address of a helper', () => {
  const dns = zone({
    '_dnsaddr.one.example.org': [`dnsaddr=/ip4/11.0.0.1/tcp/4001/p2p/${A}`, 'v=spf1 -all'],
    '_dnsaddr.two.example.org': [
      `"dnsaddr=/dns4/a.example.org/tcp/4001/p2p/${A}"`,
      `dnsaddr=/ip6/2a00::1/tcp/4001/p2p/${B}`
    ],
    '_dnsaddr.nested.example.org': ['dnsaddr=/dnsaddr/two.example.org'],
    '_dnsaddr.loop.example.org': ['dnsaddr=/dnsaddr/loop.example.org'],
    '_dnsaddr.nonsense.example.org': ['dnsaddr=nonsense', 'dnsaddr=']
  })

  for (const { title, texts, addresses, stunServers, ids = 1 } of [
    {
      title: 'a multiaddr',
      texts: [`/dns4/Helper.example.org/tcp/4001/p2p/${A}`],
      addresses: [`/dns4/Helper.example.org/tcp/4001/p2p/${A}`],
      stunServers: ['stun:Helper.example.org']
    },
    {
      title: 'an IPv6 multiaddr',
      texts: [`/ip6/2a00::1/tcp/4001/p2p/${A}`],
      addresses: [`/ip6/2a00::1/tcp/4001/p2p/${A}`],
      stunServers: ['stun:[2a00::1]']
    },
    {
      title: 'dnsaddr',
      texts: ['/dnsaddr/one.example.org'],
      addresses: [`/ip4/11.0.0.1/tcp/4001/p2p/${A}`],
      stunServers: ['stun:11.0.0.1']
    },
    {
      title: 'a host name, whose SRV records name STUN servers',
      texts: ['two.example.org'],
      addresses: [`/dns4/a.example.org/tcp/4001/p2p/${A}`, `/ip6/2a00::1/tcp/4001/p2p/${B}`],
      stunServers: ['stun:two.example.org', 'stun:a.example.org', 'stun:[2a00::1]'],
      ids: 2
    },
    {
      title: 'one of several helpers',
      texts: [`/dnsaddr/nested.example.org/p2p/${B}`],
      addresses: [`/ip6/2a00::1/tcp/4001/p2p/${B}`],
      stunServers: ['stun:[2a00::1]']
    },
    {
      title: 'two helpers',
      texts: [`/ip4/11.0.0.1/tcp/4001/p2p/${A}`, `/ip4/11.0.0.2/tcp/4001/p2p/${B}`],
      addresses: [`/ip4/11.0.0.1/tcp/4001/p2p/${A}`, `/ip4/11.0.0.2/tcp/4001/p2p/${B}`],
      stunServers: ['stun:11.0.0.1', 'stun:11.0.0.2'],
      ids: 2
    }
  ]) {
    it(`${title}`, async () => {
      const helpers = await resolveHelpers(texts, { dns })

      expect(helpers.addresses.map(String)).to.deep.equal(addresses)
      expect(helpers.stunServers).to.deep.equal(stunServers)
      expect(helpers.ids).to.equal(ids)
    })
  }

  for (const { text, hint } of [
    { text: '', hint: 'is empty' },
    { text: 'https://example.org', hint: 'neither a host name nor a multiaddr' },
    { text: '/ip4/11.0.0.1/tcp/4001', hint: 'has no peer id' },
    { text: `/ip4/11.0.0.1/tcp/4001/p2p/${A}/p2p-circuit/p2p/${B}`, hint: 'relayed address' },
    { text: 'none.example.org', hint: '_dnsaddr.none.example.org TXT "dnsaddr=' },
    { text: 'nonsense.example.org', hint: 'no TXT records for a helper' },
    { text: 'loop.example.org', hint: 'refer to each other' }
  ]) {
    it(`is refused: ${text === '' ? 'empty' : text}`, async () => {
      await expect(resolveHelpers([text], { dns })).to.eventually.be.rejected
        .with.property('message').that.include(hint)
    })
  }

  it('is refused when there is none', async () => {
    await expect(resolveHelpers([])).to.eventually.be.rejected.with.property('name', 'InvalidHelperAddressError')
  })

  it('tells what a resolver said', async () => {
    const broken: DNS = { query: async () => { throw new Error('SERVFAIL') } }

    await expect(resolveHelpers(['one.example.org'], { dns: broken })).to.eventually.be.rejected
      .with.property('message').that.include('_dnsaddr.one.example.org could not be read: SERVFAIL')
  })

  it('ends with its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    const silent: DNS = {
      query: async (name, options) => {
        options?.signal?.throwIfAborted()
        throw new Error('late')
      }
    }

    await expect(resolveHelpers(['one.example.org'], { dns: silent, signal })).to.eventually.be.rejectedWith('enough')
  })
})

describe('a helper whose name changes', () => {
  const NAME = 'helper.example.org'

  it('is not looked for by its name where that does not exist', async () => {
    const none: DNS = {
      query: async () => { throw new AggregateError([Object.assign(new Error(), { code: 'ENOTFOUND' })]) }
    }

    await expect(helperConfig(NAME, { namespace: 'my-app', dns: none })).to.eventually.be.rejected
      .with.property('name', 'InvalidHelperAddressError')
  })

  it('is found once the name servers answer, and where it is then', async () => {
    const loopback = [{ host: '127.0.0.1', port: 0 }]
    const helper = await startHelper({ listen: loopback, stunListen: loopback })
    let queries = 0
    const late: DNS = {
      query: async (name, options) => {
        if (queries++ < 2) {
          throw new Error('SERVFAIL')
        }

        return zone({ [`_dnsaddr.${NAME}`]: [`dnsaddr=${helper.node.getMultiaddrs()[0]}`] }).query(name, options)
      }
    }
    const config = await helperConfig(NAME, { namespace: 'my-app', dns: late, listen: ['/ip4/127.0.0.1/tcp/0'] })
    const node = await createLibp2p(config)

    try {
      await pEvent(node.services.board as any, 'registered', EVENT)
      expect(queries).to.equal(3)
    } finally {
      await node.stop()
      await helper.close()
    }
  })
})

describe('the neighbours of a machine', () => {
  for (const { interfaces, address, expected } of [
    { interfaces: ['192.168.1.2/24'], address: '/ip4/192.168.1.3/tcp/4001', expected: true },
    { interfaces: ['192.168.1.2/24'], address: '/ip4/192.168.1.2/tcp/4001', expected: false },
    { interfaces: ['192.168.1.2/24'], address: '/ip4/192.168.2.3/tcp/4001', expected: false },
    { interfaces: ['192.168.1.2/16'], address: '/ip4/192.168.2.3/tcp/4001', expected: true },
    { interfaces: ['127.0.0.1/8', '10.0.0.1/8'], address: '/ip4/10.1.2.3/tcp/4001', expected: true },
    { interfaces: ['127.0.0.1/8'], address: '/ip4/127.0.0.2/tcp/4001', expected: false },
    // strangers can dial it, or nobody can
    { interfaces: ['11.0.0.1/24'], address: '/ip4/11.0.0.2/tcp/4001', expected: false },
    { interfaces: ['fd00::1/64'], address: '/ip6/fd00::2/tcp/4001', expected: true },
    { interfaces: ['fd00::1/64'], address: '/ip6/fd00:0:0:1::2/tcp/4001', expected: false },
    { interfaces: ['192.168.1.2/24'], address: '/dns4/example.org/tcp/4001', expected: false }
  ]) {
    it(`${address} is ${expected ? '' : 'not '}beside ${interfaces.join(' and ')}`, () => {
      expect(onOwnNetworks([multiaddr(address)], interfaces)).to.have.lengthOf(expected ? 1 : 0)
    })
  }

  it('are a few addresses of a peer', () => {
    const addresses = Array.from({ length: 100 }, (_, i) => multiaddr(`/ip4/192.168.1.${i + 10}/tcp/1`))

    expect(onOwnNetworks(addresses, ['192.168.1.2/24'])).to.have.lengthOf(4)
  })
})

describe('the turns of dials', () => {
  it('one of two peers waits', async () => {
    const keys = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
    const [a, b] = keys.map(peerIdFromPrivateKey)

    expect(waitsForPartner(a, b)).to.equal(!waitsForPartner(b, a))
    expect(retryDelay(0, false)).to.equal(0)
    expect(retryDelay(0, true)).to.be.above(0)
  })

  it('failures make a dial wait longer, but not for ever', () => {
    const delays = [1, 2, 3, 10, 1_000].map(failures => retryDelay(failures, false, () => 1))

    expect(delays).to.deep.equal([5_000, 10_000, 20_000, 300_000, 300_000])
    expect(retryDelay(1, false, () => 0)).to.equal(2_500)
  })
})

describe('a configuration of ones own', () => {
  it('is merged: lists are joined, the rest is replaced', () => {
    const transport = (): any => {}
    const service = (): any => {}
    const merged = mergeConfig(
      {
        transports: [transport],
        connectionMonitor: { pingInterval: 1, enabled: true },
        services: { a: service }
      },
      { transports: [transport], connectionMonitor: { pingInterval: 2 }, services: { b: service } }
    )

    expect(merged).to.deep.equal({
      transports: [transport, transport],
      connectionMonitor: { pingInterval: 2, enabled: true },
      services: { a: service, b: service }
    })
  })
})

describe('nodes with nothing but the address of a helper', () => {
  const nodes: Libp2p[] = []
  let helper: Helper | undefined

  afterEach(async () => {
    await Promise.all(nodes.splice(0).map(async node => { await node.stop() }))
    await helper?.close()
  })

  it('find each other, and connect', async () => {
    const loopback = [{ host: '127.0.0.1', port: 0 }]
    helper = await startHelper({ listen: loopback, stunListen: loopback })
    const address = helper.node.getMultiaddrs()[0].toString()
    const [{ port }] = helper.stunServer.addresses
    const init = { namespace: 'my-app', stunServers: [`stun:127.0.0.1:${port}`] }

    // the set-up of the documents
    const a = await createLibp2p(await helperConfig(address, init))
    nodes.push(a)
    const b = await createLibp2p(await helperConfig(address, init))
    nodes.push(b)

    await pEvent(b as any, 'peer:connect', { ...EVENT, filter: ({ detail }: any) => detail.equals(a.peerId) })
    expect(a.services.members.connected).to.be.at.most(1)
  })
})

describe('what a page can dial', () => {
  const page = (url: string): PageOrigin => originOf(new URL(url))
  const CIRCUIT = `/ip4/11.0.0.9/tcp/4001/p2p/${A}/p2p-circuit`

  for (const { from, address, expected } of [
    { from: 'https://example.org/', address: '/dns4/a.example.org/tcp/443/tls/ws', expected: true },
    { from: 'https://example.org/', address: '/dns4/a.example.org/tcp/443/wss', expected: true },
    { from: 'https://example.org/', address: '/ip4/11.0.0.1/tcp/4001/ws', expected: false },
    { from: 'http://example.org/', address: '/ip4/11.0.0.1/tcp/4001/ws', expected: true },
    { from: 'https://example.org/', address: '/ip4/192.168.1.2/tcp/4001/tls/ws', expected: false },
    { from: 'http://192.168.1.1/', address: '/ip4/192.168.1.2/tcp/4001/ws', expected: true },
    { from: 'http://[fd00::1]/', address: '/ip4/192.168.1.2/tcp/4001/ws', expected: true },
    { from: 'http://localhost:8080/', address: '/ip4/127.0.0.1/tcp/4001/ws', expected: true },
    { from: 'http://box.local/', address: '/ip4/192.168.1.2/tcp/4001/ws', expected: true },
    { from: 'http://11.0.0.1/', address: '/ip4/192.168.1.2/tcp/4001/ws', expected: false },
    { from: 'file:///tmp/chat.html', address: '/ip4/127.0.0.1/tcp/4001/ws', expected: true },
    // by the helper, whatever its address is
    { from: 'https://example.org/', address: `/ip4/127.0.0.1/tcp/4001/ws/p2p/${A}`, expected: true },
    { from: 'https://example.org/', address: `${CIRCUIT}/p2p/${B}`, expected: true },
    { from: 'https://example.org/', address: `${CIRCUIT}/webrtc/p2p/${B}`, expected: true },
    { from: 'https://example.org/', address: `/ip4/192.168.1.2/tcp/4001/tls/ws/p2p/${B}`, expected: false }
  ]) {
    it(`${address.replace(A, 'HELPER').replace(B, 'PEER')} from ${from}: ${expected ? 'yes' : 'no'}`, () => {
      expect(canDial(multiaddr(address), page(from), new Set([A]))).to.equal(expected)
    })
  }

  for (const { from, address, expected } of [
    {
      from: 'http://example.org/',
      address: '/dns4/a.example.org/tcp/4001',
      expected: '/dns4/a.example.org/tcp/4001/ws'
    },
    {
      from: 'https://example.org/',
      address: '/dns4/a.example.org/tcp/4001',
      expected: '/dns4/a.example.org/tcp/4001/tls/ws'
    },
    { from: 'https://example.org/', address: '/ip6/2a00::1/tcp/4001', expected: '/ip6/2a00::1/tcp/4001/ws' },
    {
      from: 'https://example.org/',
      address: '/ip4/11.0.0.1/tcp/4001/tls/ws',
      expected: '/ip4/11.0.0.1/tcp/4001/tls/ws'
    },
    {
      from: 'http://example.org/',
      address: '/ip4/11.0.0.1/udp/4001/quic-v1',
      expected: '/ip4/11.0.0.1/udp/4001/quic-v1'
    }
  ]) {
    it(`a helper at ${address} from ${from} by ${expected}`, () => {
      const actual = asWebSocket(multiaddr(`${address}/p2p/${A}`), page(from))

      expect(actual.toString()).to.equal(`${expected}/p2p/${A}`)
    })
  }

  it('a home without the relay, by its public addresses first', () => {
    const addresses = [
      '/ip4/192.168.1.2/tcp/4001/ws', '/ip4/11.1.0.1/tcp/50123', '/ip4/11.1.0.1/tcp/50123/ws', `${CIRCUIT}/p2p/${B}`
    ].map(address => multiaddr(address))
    const direct = (url: string): string[] => directAddresses(addresses, page(url)).map(String)

    expect(direct('http://localhost/')).to.deep.equal(['/ip4/11.1.0.1/tcp/50123/ws', '/ip4/192.168.1.2/tcp/4001/ws'])
    expect(direct('http://example.org/')).to.deep.equal(['/ip4/11.1.0.1/tcp/50123/ws'])
    expect(direct('https://example.org/')).to.deep.equal([])
  })

  it('everything from React Native', () => {
    expect(canDial(multiaddr('/ip4/192.168.1.2/tcp/4001/ws'), originOf(undefined), new Set())).to.equal(true)
  })
})
