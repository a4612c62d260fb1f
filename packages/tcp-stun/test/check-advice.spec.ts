import { spawn } from 'node:child_process'
import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { findAdvice } from '../src/check/advice.ts'
import { findPortOwner } from '../src/check/port-owner.ts'
import { adviceText } from '../src/cli/advice-text.ts'
import { checkAgain, commandName } from '../src/cli/again.ts'
import { nodeVerdict, nodeVerdictText } from '../src/cli/node-text.ts'
import { verdictText } from '../src/cli/verdict-text.ts'
import { resolveDNSAddr } from '../src/dnsaddr.ts'
import type { NodeReport } from '../src/check/ask-node.ts'
import type { CarrierNAT, Findings } from '../src/check/findings.ts'
import type { PortMappingProtocol } from '../src/check/port-mapping.ts'
import type { FamilyReport, Verdict } from '../src/check/verdict.ts'

const FLAGS = { servers: [], helpers: [], peers: [], port: 0 }
const UPNP: PortMappingProtocol[] = [{ name: 'UPnP', roundTrip: 1 }]

interface Family {
  version?: 4 | 6
  verdict: Verdict
  carrier?: CarrierNAT
  protocols?: PortMappingProtocol[]
  direct?: boolean
  mapping?: Findings['mapping']
}

function family ({ version = 4, verdict, protocols = [], direct = false, ...rest }: Family): FamilyReport {
  const { carrier = { seen: 'unknown' }, mapping = 'endpoint-independent' } = rest
  const external = { host: version === 4 ? '11.1.0.1' : '2a00::2', port: 4001 }
  const local = direct ? external : { host: '192.168.1.2', port: 4001 }
  const findings: Findings = {
    version,
    addresses: [],
    port: 4001,
    local,
    views: [{ server: 'stun:11.0.0.1', endpoint: { host: '11.0.0.1', port: 3478 }, external, roundTrip: 1 }],
    failures: [],
    mapping,
    external: verdict.kind === 'relay' ? undefined : external,
    dissenters: [],
    direct,
    rewriting: 'unknown',
    carrier,
    portMapping: { gateway: '192.168.1.1', protocols },
    hairpin: 'fails',
    dialBack: { outcome: 'not-asked', because: 'no-peer' }
  }

  return { findings, verdict }
}

describe('advice', () => {
  const punched: Verdict = { kind: 'hole-punching' }
  const relayed: Verdict = { kind: 'relay' }
  const untested: Verdict = { kind: 'inconclusive', because: 'not-asked' }
  const second: CarrierNAT = { seen: 'yes', evidence: 'distance', hops: 2 }

  for (const { title, families, advice } of [
    { title: 'strangers can dial', families: [{ verdict: { kind: 'anyone' } as const }], advice: [] },
    {
      title: 'strangers can dial by IPv4 only',
      families: [{ verdict: { kind: 'anyone' } as const }, { version: 6 as const, verdict: punched, direct: true }],
      advice: []
    },
    { title: 'nobody has tried', families: [{ verdict: untested }], advice: ['test-outside'] },
    {
      title: 'nobody has tried, one server',
      families: [{ verdict: untested, mapping: 'unknown' as const }],
      advice: ['second-server', 'test-outside']
    },
    {
      title: 'the NAT keeps strangers out',
      families: [{ verdict: punched }],
      advice: ['hole-punching', 'turn-on-upnp', 'forward-port']
    },
    {
      title: 'the NAT keeps strangers out, and its router has UPnP',
      families: [{ verdict: punched, protocols: UPNP }],
      advice: ['use-upnp', 'hole-punching', 'forward-port']
    },
    {
      title: 'a carrier NAT, and a router with UPnP',
      families: [{ verdict: punched, protocols: UPNP, carrier: second }],
      advice: ['hole-punching', 'ask-carrier']
    },
    {
      title: 'a symmetric NAT of a carrier',
      families: [{ verdict: relayed, carrier: second }],
      advice: ['relay', 'ask-carrier']
    },
    {
      title: 'a carrier NAT, and IPv6 behind a firewall',
      families: [
        { verdict: punched, carrier: second },
        { version: 6 as const, verdict: punched, direct: true }
      ],
      advice: ['open-firewall', 'hole-punching', 'ask-carrier']
    },
    {
      title: 'the forwarded port does not work',
      families: [{ verdict: { kind: 'inconclusive', because: 'forward-failed' } as const, protocols: UPNP }],
      advice: ['forward-port']
    }
  ]) {
    it(`${title}: ${advice.join(', ') || 'none'}`, () => {
      expect(findAdvice(families.map(family)).map(({ do: kind }) => kind)).to.deep.equal(advice)
    })
  }

  it('names the commands that confirm it, with the servers and peers of this check', () => {
    const families = [
      family({ verdict: punched, protocols: UPNP }),
      family({ version: 6, verdict: punched, direct: true })
    ]
    const flags = {
      ...FLAGS,
      servers: ['stun:11.0.0.1', 'stun:stun.example.org'],
      helpers: [multiaddr('/ip4/11.0.0.9/tcp/4001')]
    }

    expect(findAdvice(families).map(advice => adviceText(advice, families, flags).commands)).to.deep.equal([
      // that helper has no IPv6 address
      ['tcp-stun check -6 --port 4001 -s stun:stun.example.org --helper helper.example.org:4001'],
      ['tcp-stun check --node /ip4/127.0.0.1/tcp/4001'],
      ['tcp-stun check --node /ip4/127.0.0.1/tcp/4001'],
      ['tcp-stun check -4 --port 4001 -s stun:11.0.0.1 -s stun:stun.example.org --helper 11.0.0.9:4001']
    ])
  })

  it('says of a port forward on which condition it helps, while a second NAT is not ruled out', () => {
    const text = (carrier: CarrierNAT): string => {
      const families = [family({ verdict: punched, carrier })]

      return adviceText({ do: 'forward-port', version: 4 }, families, FLAGS).text
    }

    expect(text({ seen: 'unknown' })).to.include("if the router's own page shows 11.1.0.1")
    expect(text({ seen: 'no', evidence: 'distance' })).to.not.include('if')
  })

  it('quotes what a shell would read otherwise', () => {
    expect(checkAgain({
      ...FLAGS,
      servers: ['stun:[2a00::1]:3478?transport=tcp'],
      helpers: [multiaddr('/ip6/2a00::9/tcp/1')]
    }))
      .to.equal("tcp-stun check -s 'stun:[2a00::1]:3478?transport=tcp' --helper [2a00::9]:1")
  })

  for (const { title, script, env, name } of [
    { title: 'installed', script: '/usr/bin/tcp-stun', env: {}, name: 'tcp-stun' },
    {
      title: 'by npx',
      script: '/home/a/.npm/_npx/1/node_modules/.bin/tcp-stun',
      env: { npm_command: 'exec' },
      name: 'npx tcp-stun'
    },
    { title: 'in a program that npx runs', script: '/a/mocha.js', env: { npm_command: 'exec' }, name: 'tcp-stun' }
  ]) {
    it(`names commands as the user runs them: ${title}`, () => {
      expect(commandName(script, env)).to.equal(name)
    })
  }

  it('no title contradicts its explanation', () => {
    for (const because of ['not-asked', 'peer-failed', 'peer-contacted'] as const) {
      const { title, explanation } = verdictText({ kind: 'inconclusive', because })

      expect(`${title} ${explanation}`).to.not.match(/not dialable|not reachable|could not dial/i)
      expect(title).to.include('Public address found, not tested')
    }
  })
})

describe('a running node', () => {
  const report: NodeReport = {
    address: '/ip4/127.0.0.1/tcp/4001', id: '12D3', announced: [], relayed: [], holePunching: true
  }
  const relayed = ['/ip4/11.0.0.9/tcp/4001/p2p/12D3/p2p-circuit/p2p/12D3']

  for (const { of, verdict } of [
    { of: { announced: ['/ip4/11.1.0.1/tcp/4001'] }, verdict: 'anyone' },
    { of: { relayed }, verdict: 'hole-punching' },
    { of: { relayed, holePunching: false }, verdict: 'relay' },
    { of: {}, verdict: 'inconclusive' }
  ]) {
    it(`has the verdict ${verdict}, and words for it`, () => {
      expect(nodeVerdict({ ...report, ...of })).to.equal(verdict)
      expect(nodeVerdictText({ ...report, ...of }).explanation).to.match(/^[A-Z].*\.$/)
    })
  }
})

describe('the owner of a port', () => {
  before(function () {
    if (process.platform !== 'linux') {
      this.skip()
    }
  })

  it('is this process, with its command', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await pEvent(server, 'listening')
    const { port } = server.address() as net.AddressInfo

    try {
      const owner = await findPortOwner(port)

      expect(owner).to.include({ uid: process.getuid?.() })
      expect(owner?.process?.id).to.equal(process.pid)
      expect(owner?.process?.command).to.include('node')
    } finally {
      server.close()
    }
  })

  it('is nobody where only a connection uses the port', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await pEvent(server, 'listening')
    const socket = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1' })
    await pEvent(socket, 'connect')

    try {
      expect(await findPortOwner(socket.localPort ?? 0)).to.equal(undefined)
    } finally {
      socket.destroy()
      server.close()
    }
  })

  it('is a user only, where this user may not see the process', async function () {
    if (process.getuid?.() !== 0) {
      this.skip()
    }

    const server = net.createServer().listen(0, '127.0.0.1')
    await pEvent(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const module = new URL('../src/check/port-owner.js', import.meta.url).href
    const script = `process.setgid(65534); process.setuid(65534)
      const { findPortOwner } = await import(${JSON.stringify(module)})
      console.info(JSON.stringify(await findPortOwner(${port})))`

    try {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', script])
      const output: string[] = []
      child.stdout.on('data', chunk => { output.push(String(chunk)) })
      await pEvent(child, 'close', { timeout: 15_000 })

      expect(JSON.parse(output.join(''))).to.deep.equal({ uid: 0, user: 'root' })
    } finally {
      server.close()
    }
  })
})

describe('/dnsaddr', () => {
  const A = '12D3KooWFB51PRY9BxcXSH6khFXw1BZeszeLDy7C8GciskqCTZn5'
  const B = '12D3KooWHFKTMzwerBtsVmtz4ZZEQy2heafxzWw6wNn5PPYkBxJ5'
  const zone: Record<string, string[]> = {
    'peers.example.org': ['dnsaddr=/dnsaddr/a.example.org', `dnsaddr=/dnsaddr/b.example.org/p2p/${B}`, 'v=spf1'],
    'a.example.org': [`dnsaddr=/ip4/11.0.0.9/tcp/4001/p2p/${A}`, `dnsaddr=/ip4/11.0.0.9/udp/4001/quic-v1/p2p/${A}`],
    'b.example.org': [`dnsaddr=/ip6/2a00::9/tcp/4001/p2p/${B}`, `dnsaddr=/ip4/11.0.0.8/tcp/4001/p2p/${A}`, 'dnsaddr=x'],
    'loop.example.org': ['dnsaddr=/dnsaddr/loop.example.org']
  }
  const dns: any = {
    query: async (name: string) => ({ Answer: (zone[name.replace('_dnsaddr.', '')] ?? []).map(data => ({ data })) })
  }

  for (const { address, expected } of [
    {
      address: '/dnsaddr/peers.example.org',
      expected: [
        `/ip4/11.0.0.9/tcp/4001/p2p/${A}`, `/ip4/11.0.0.9/udp/4001/quic-v1/p2p/${A}`, `/ip6/2a00::9/tcp/4001/p2p/${B}`
      ]
    },
    { address: `/dnsaddr/peers.example.org/p2p/${B}`, expected: [`/ip6/2a00::9/tcp/4001/p2p/${B}`] },
    { address: '/dnsaddr/loop.example.org', expected: [] },
    { address: '/dnsaddr/none.example.org', expected: [] },
    { address: '/ip4/11.0.0.9/tcp/4001', expected: ['/ip4/11.0.0.9/tcp/4001'] }
  ]) {
    it(`${address} is ${expected.length} addresses`, async () => {
      expect((await resolveDNSAddr(multiaddr(address), { dns })).map(String)).to.deep.equal(expected)
    })
  }
})
