import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { renderPage, renderSections } from '../src/page/document.ts'
import { html } from '../src/page/html.ts'
import { transportOf, verdictOf } from '../src/page/peer-kinds.ts'
import { forEverybody } from '../src/page/status.ts'
import { isFromMachine, visitorOf } from '../src/page/visitor.ts'
import { sealRecord } from '../src/rendezvous/signed-record.ts'
import { busyHelper, newHelper } from './fixtures/helper-status.ts'
import type { HelperStatus } from '../src/page/status.ts'
import type { VisitorRules } from '../src/page/visitor.ts'

const MAX_BYTES = 60_000

function pageOf (status: HelperStatus): string {
  return renderPage(renderSections(status))
}

/**
 * What a reader sees, without the style and the script
 */
function textOf (status: HelperStatus): string {
  return renderSections(status).map(({ html }) => html.replace(/<[^>]+>/g, ' ')).join(' ').replace(/\s+/g, ' ')
}

describe('the status page', () => {
  it('escapes every value, but not HTML', () => {
    const evil = '<img src=x onerror="alert(1)">&\''

    expect(html`<p title="${evil}">${[evil, html`<b>${1}</b>`]}${false}${undefined}</p>`.text).to.equal(
      '<p title="&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#39;">' +
      '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#39;<b>1</b></p>'
    )
  })

  it('is at most 60 kB with 2 000 peers, whatever names they have registered', () => {
    const status = busyHelper(Date.now(), 2_000)
    const evil = '"&<>\''.repeat(51)
    const largest = Array.from({ length: 20 }, (_, i) => ({ name: evil, registrations: 400 - i }))
    const page = pageOf({ ...status, board: { ...status.board, largest } })

    expect(Buffer.byteLength(page)).to.be.at.most(MAX_BYTES)
    expect(page).to.not.include(evil)
    expect(page).to.include('And 1\u202f900 other peers')
  })

  it('has names and ids for the users of the machine only', () => {
    const status = busyHelper()
    const secrets = [
      ...status.peers.list?.map(({ id }) => id) ?? [],
      ...status.board.largest.flatMap(({ name }) => name === 'test' ? [] : name ?? []),
      ...status.helpers.flatMap(({ id }) => id ?? [])
    ]
    const mine = pageOf(status)
    const theirs = `${pageOf(forEverybody(status))} ${JSON.stringify(forEverybody(status))}`

    expect(secrets.filter(secret => mine.includes(secret)).length).to.be.greaterThan(100)
    expect(secrets.filter(secret => theirs.includes(`>${secret}<`) || theirs.includes(`"${secret}"`))).to.deep.equal([])
    expect(textOf(forEverybody(status))).to.include('Namespace 1 812')
  })

  for (const { title, status, text } of [
    { title: 'who was reached from outside', status: busyHelper(), text: 'Reachable from outside' },
    {
      title: 'nobody from outside yet',
      status: { ...busyHelper(), reachability: { kind: 'not-reached-yet' } },
      text: 'Not reached from outside yet'
    },
    { title: 'no public address', status: newHelper(), text: 'No public address' },
    { title: 'when the certificate expires', status: busyHelper(), text: 'Valid for helper.example.org for 61 days' },
    {
      title: 'a certificate that has expired',
      status: { ...busyHelper(), certificates: [{ names: [], expires: 0 }] },
      text: 'The certificate has expired'
    },
    {
      title: 'a certificate that is not renewed',
      status: { ...busyHelper(), certificates: [{ names: [], expires: Date.now() + 5e8 }] },
      text: 'The certificate expires soon'
    },
    { title: 'a store that fails', status: newHelper(), text: 'The board is not stored' },
    {
      title: 'a helper that is full',
      status: { ...busyHelper(), usage: { ...busyHelper().usage, reservations: { used: 9, max: 9 } } },
      text: 'The helper is full'
    },
    { title: 'a helper that stops', status: { ...busyHelper(), state: 'stopping' }, text: 'The helper is stopping' },
    {
      title: 'whom it serves',
      status: { ...busyHelper(), access: { members: 12, networkKey: true, stunCredential: true } },
      text: 'The helper serves nodes for the 12 peers on its list with the key of the network. ' +
        'The STUN server asks for a password'
    },
    { title: 'why peers were refused', status: busyHelper(), text: 'Relay too many peers at one address 61' },
    {
      title: 'a reason that has no words',
      status: { ...busyHelper(), refusals: [{ by: 'relay', reason: 'moon', count: 2 }] },
      text: 'Relay moon 2'
    },
    { title: 'reservations used of max', status: busyHelper(), text: 'Reservations at the relay 1 871 of 2 000' },
    { title: 'STUN connections', status: busyHelper(), text: 'STUN connections 3 804 of 6 100' },
    { title: 'other helpers', status: busyHelper(), text: '688 registrations' }
  ] as Array<{ title: string, status: HelperStatus, text: string }>) {
    it(`says ${title}`, () => {
      expect(textOf(status)).to.include(text)
    })
  }

  it('has a new version of the sections that have changed, and of no others', () => {
    const status = busyHelper()
    const before = renderSections(status)
    const after = renderSections({ ...status, refusals: [] })

    const changed = after.filter(({ version }, i) => version !== before[i].version)
    expect(changed.map(({ id }) => id)).to.deep.equal(['refusals'])
  })
})

describe('the kind of a peer', () => {
  for (const { address, transport } of [
    { address: '/ip4/11.0.0.1/tcp/4001', transport: 'tcp' },
    { address: '/ip6/2a00::1/tcp/4001/ws', transport: 'ws' },
    { address: '/ip4/11.0.0.1/tcp/4001/tls/ws', transport: 'wss' },
    { address: '/dns4/example.org/tcp/443/tls/sni/example.org/ws', transport: 'wss' },
    { address: '/ip4/11.0.0.1/tcp/443/wss', transport: 'wss' },
    { address: '/ip4/11.0.0.1/udp/4001/quic-v1', transport: 'other' },
    {
      address: '/ip4/11.0.0.1/tcp/4001/p2p/12D3KooWNvSZnPi3RrhrTwEY4LuuBeB6K6facKUCJcyWG1aoDd2p/p2p-circuit',
      transport: 'relay'
    }
  ]) {
    it(`${address} is ${transport}`, () => {
      expect(transportOf(multiaddr(address))).to.equal(transport)
    })
  }

  const circuit = '/ip4/11.0.0.9/tcp/4001/p2p/12D3KooWNvSZnPi3RrhrTwEY4LuuBeB6K6facKUCJcyWG1aoDd2p/p2p-circuit'

  for (const { title, addresses, verdict } of [
    {
      title: 'a public address',
      addresses: ['/ip4/192.168.1.2/tcp/1', circuit, '/ip4/11.0.0.1/tcp/1'],
      verdict: 'dialable'
    },
    { title: 'a name', addresses: ['/dns4/example.org/tcp/443/tls/ws'], verdict: 'dialable' },
    { title: 'a relayed address', addresses: ['/ip4/192.168.1.2/tcp/1', circuit], verdict: 'relayed' },
    { title: 'private addresses', addresses: ['/ip4/192.168.1.2/tcp/1', '/ip4/127.0.0.1/tcp/1'], verdict: 'unknown' },
    { title: 'no address', addresses: [], verdict: 'unknown' }
  ]) {
    it(`with ${title} on the board is ${verdict}`, async () => {
      const record = await sealRecord({
        privateKey: await generateKeyPair('Ed25519'),
        addresses: addresses.map(address => multiaddr(address)),
        form: 'standard',
        sequence: 1n
      })

      expect(verdictOf(record)).to.equal(verdict)
    })
  }

  it('is unknown where the record cannot be read', () => {
    expect(verdictOf(Uint8Array.of(1, 2, 3))).to.equal('unknown')
  })
})

describe('a visitor of the status page', () => {
  const rules: VisitorRules = {
    isOwnName: name => name === 'helper.example.org',
    isProxy: host => host === '127.9.9.9'
  }
  const request = { url: '/', httpVersion: '1.1', remoteAddress: '127.0.0.1' }

  for (const { host, visitor } of [
    { host: 'localhost', visitor: 'machine' },
    { host: 'LOCALHOST:9478', visitor: 'machine' },
    { host: 'localhost.', visitor: 'machine' },
    { host: '127.0.0.1:9478', visitor: 'machine' },
    { host: '[::1]:9478', visitor: 'machine' },
    { host: 'helper.example.org', visitor: 'everybody' },
    { host: 'Helper.Example.ORG.:443', visitor: 'everybody' },
    { host: '203.0.113.1:4001', visitor: 'everybody' },
    { host: '[2001:db8::1]', visitor: 'everybody' },
    { host: undefined, visitor: 'everybody' },
    { host: '', visitor: 'foreign' },
    { host: 'evil.example', visitor: 'foreign' },
    { host: 'localhost.evil.example', visitor: 'foreign' },
    { host: '127.0.0.1.evil.example', visitor: 'foreign' },
    { host: 'helper.example.org.evil.example', visitor: 'foreign' },
    { host: 'evil.example@localhost', visitor: 'foreign' },
    { host: 'localhost/', visitor: 'foreign' },
    { host: 'localhost:80:80', visitor: 'foreign' },
    { host: '[helper.example.org]', visitor: 'foreign' },
    { host: '[1.2.3.4]', visitor: 'foreign' },
    { host: 'localhost evil', visitor: 'foreign' },
    { host: `${'a'.repeat(5_000)}.example`, visitor: 'foreign' }
  ]) {
    it(`is ${visitor} with ${host == null ? 'no Host' : `the Host ${JSON.stringify(host.slice(0, 40))}`}`, () => {
      expect(visitorOf({ ...request, headers: { host } }, rules)).to.equal(visitor)
    })
  }

  for (const { title, headers, url = '/', visitor } of [
    {
      title: 'its own page',
      headers: { origin: 'http://localhost', 'sec-fetch-site': 'same-origin' },
      visitor: 'machine'
    },
    {
      title: 'the address bar',
      headers: { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' },
      visitor: 'machine'
    },
    {
      title: 'a link on another site',
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      visitor: 'machine'
    },
    {
      title: 'a link to the JSON',
      url: '/status.json',
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      visitor: 'foreign'
    },
    { title: 'a script of another site', headers: { origin: 'http://evil.example' }, visitor: 'foreign' },
    { title: 'a sandboxed frame', headers: { origin: 'null' }, visitor: 'foreign' },
    {
      title: 'another port of the same host',
      headers: { origin: 'http://localhost:8080', 'sec-fetch-site': 'same-site' },
      visitor: 'foreign'
    },
    {
      title: 'an image on another site',
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      visitor: 'foreign'
    }
  ]) {
    it(`from ${title} is ${visitor}`, () => {
      expect(visitorOf({ ...request, url, headers: { host: 'localhost', ...headers } }, rules)).to.equal(visitor)
    })
  }

  for (const { title, change, isLocal } of [
    { title: 'loopback', change: {}, isLocal: true },
    { title: 'loopback of IPv6', change: { remoteAddress: '::1' }, isLocal: true },
    { title: 'loopback of a dual-stack socket', change: { remoteAddress: '::ffff:127.0.0.1' }, isLocal: true },
    { title: 'another host', change: { remoteAddress: '203.0.113.1' }, isLocal: false },
    { title: 'nowhere', change: { remoteAddress: '' }, isLocal: false },
    { title: 'a load balancer on the machine', change: { remoteAddress: '127.9.9.9' }, isLocal: false },
    { title: 'nginx on the machine', change: { httpVersion: '1.0' }, isLocal: false },
    { title: 'a proxy that says so', change: { headers: { 'x-forwarded-for': '203.0.113.1' } }, isLocal: false }
  ]) {
    it(`from ${title} is ${isLocal ? '' : 'not '}of the machine`, () => {
      expect(isFromMachine({ ...request, headers: {}, ...change }, rules)).to.equal(isLocal)
    })
  }
})
