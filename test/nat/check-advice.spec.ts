import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import { expectScreen } from '../fixtures/screens.ts'
import { oneAtATime, sideBySide } from '../fixtures/side-by-side.ts'
import { MINIUPNPD, isInstalled, startMiniupnpd } from '../nat-lab/index.ts'
import { COMMAND, measure, startsServers } from './check-command.ts'
import type { Host, Lab, MiniupnpdInit, NATOptions, Program, ProgramEvent, Router } from '../nat-lab/index.ts'
import type { CheckScreensInit } from '../nat-lab/programs/check-screens.ts'

const SERVERS = ['stun:11.0.0.1', 'stun:11.0.0.2']
const HELPER = '/ip4/11.0.0.9/tcp/4001'
const FIREWALL: NATOptions = { filtering: 'address-and-port-dependent' }

/**
 * A check mostly waits: 3 s for a dial that nobody answers
 */
const AT_ONCE = 3

interface Home {
  laptop: Host
  router: Router

  /**
   * The public one
   */
  address: string

  /**
   * That of no other home
   */
  number: number
}

/**
 * What the check says beyond the NAT matrix: the router's own services, a second NAT,
 * IPv6 beside IPv4, a forwarded port, a port in use
 */
describe('tcp-stun check: advice', function () {
  this.timeout(60_000)

  const test = sideBySide(AT_ONCE)
  const turn = oneAtATime()
  const { serve } = startsServers()
  const { create } = laboratory('all')
  let lab: Lab
  let made = 0
  let helperId: string

  before(async () => {
    lab = await create()

    for (const [i, address] of ['11.0.0.1', '11.0.0.2'].entries()) {
      const host = await lab.host(`stun${i}`, { address })
      await serve(host, 'server', '--listen', `${address}:3478`, '--listen', `${address}:3479`)
    }

    const host = await lab.host('helper', { address: '11.0.0.9' })
    await host.sh('ip -6 addr add 2a00::9/12 dev eth0 nodad; ip -6 route replace default via 2a0f:ffff::1')
    helperId = (await serve(host, 'helper', '--listen', '11.0.0.9:4001', '--stun-listen', '11.0.0.9:3478')).id
    await serve(host, 'helper', '--listen', '[2a00::9]:4001', '--stun-listen', '[2a00::9]:3478')
    const stun6 = await lab.host('stun6', { address: '2a00::1' })
    await serve(stun6, 'server', '--listen', '[2a00::1]:3478', '--listen', '[2a00::1]:3479')
  })

  describe('with miniupnpd in the router', () => {
    before(function () {
      if (!isInstalled(MINIUPNPD.program)) {
        skipWithout(this, 'a router with UPnP', `apt-get install ${MINIUPNPD.package}`)
      }
    })

    test('says that the router offers UPnP, NAT-PMP and PCP, and what that is for', async () => {
      const home = await behind(FIREWALL, {})
      const report = await check(home, 'miniupnpd')

      expect(report).to.include({ verdict: 'hole-punching' })
      expect(report.families[0].carrierNAT).to.deep.equal({ seen: 'no', evidence: 'router-address' })
      expect(report.families[0].portMapping.protocols.map(({ name, external }: any) => [name, external != null]))
        .to.deep.equal([['UPnP', true], ['NAT-PMP', true], ['PCP', false]])
      expect(report.advice.map((each: any) => each.do)).to.deep.equal(['use-upnp', 'hole-punching', 'forward-port'])
    })

    test('without UPnP: names NAT-PMP and PCP', async () => {
      const home = await behind(FIREWALL, { upnp: false })
      const report = await check(home, 'miniupnpd without UPnP')

      expect(report.families[0].portMapping.protocols.map(({ name }: any) => name)).to.deep.equal(['NAT-PMP', 'PCP'])
      expect(report.advice.map((each: any) => each.do)).to.deep.equal(['hole-punching', 'turn-on-upnp', 'forward-port'])
    })

    test('behind a carrier NAT: the router has no public address, and no port of it helps', async () => {
      const address = '11.1.0.99'
      const network = await lab.router('carrier', { address, lan: '100.64.0.1/24', ...FIREWALL })
      const router = await lab.router('inner', { address: '100.64.0.2', network, ...FIREWALL })
      const laptop = await lab.host('inner-home', { address: '192.168.1.2', network: router })
      await startMiniupnpd(router)
      const report = await check({ laptop, address }, 'miniupnpd behind a carrier NAT')

      expect(report.families[0].carrierNAT).to.include({ seen: 'yes' })
      expect(report.advice.map((each: any) => each.do)).to.deep.equal(['hole-punching', 'ask-carrier'])
    })
  })

  describe('IPv4 by a NAT, IPv6 by a firewall', () => {
    for (const { title, nat, advice } of [
      {
        title: 'port-restricted',
        nat: FIREWALL,
        advice: ['open-firewall', 'hole-punching', 'turn-on-upnp', 'forward-port']
      },
      {
        title: 'symmetric',
        nat: { mapping: 'address-and-port-dependent' } satisfies NATOptions,
        advice: ['open-firewall', 'hole-punching', 'turn-on-upnp', 'forward-port']
      }
    ]) {
      test(`${title}: a verdict for each, and the firewall first`, async () => {
        const report = await checkBoth(nat, `IPv6 firewall, ${title} IPv4 NAT`)

        expect(report.families.map(({ verdict }: any) => verdict)).to.deep.equal([
          title === 'symmetric' ? 'relay' : 'hole-punching',
          'hole-punching'
        ])
        expect(report.advice.map((each: any) => each.do)).to.deep.equal(advice)
      })
    }
  })

  test('finds the forwarded port of a symmetric NAT', async () => {
    const home = await behind({ mapping: 'address-and-port-dependent' })
    await home.router.sh(`nft -f - <<'RULES'
table ip forwarded {
  chain prerouting {
    type nat hook prerouting priority -110
    iifname "wan" tcp dport 4001 dnat to ${home.laptop.address}:4001
  }
}
RULES`)
    const init = { port: 4001, forwardedPort: 4001 }
    const report = await check(home, 'forwarded port of a symmetric NAT', init)

    expect(report).to.include({ verdict: 'anyone', exitCode: 0 })
    expect(report.families[0]).to.include({ dialed: `${home.address}:4001` })

    const other = await behind({ mapping: 'address-and-port-dependent' })
    expect(await check(other, 'forwarded port that is not', init)).to.include({ verdict: 'relay' })
  })

  test('the built command prints the same screen', async () => {
    const home = await behind(FIREWALL)
    const run = (): Program => home.laptop.exec('env', [
      'COLUMNS=57', process.execPath, COMMAND, 'check', '-4', '--port', '4001',
      ...SERVERS.flatMap(uri => ['-s', uri]), '--helper', '11.0.0.9:4001'
    ])
    const program = await turn(async () => {
      const program = run()
      await program.happened(({ event }) => event === 'exit')

      return program
    })
    const { code } = await program.waitFor('exit')
    const screen = program.events.filter(({ event }) => event === 'line').map(({ text }) => text).join('\n')

    expect(code).to.equal(6)
    expectScreen('check command', 'port-restricted NAT, 57 columns', screen
      .replaceAll(home.address, '11.1.0.1')
      // which may be on the next line
      .replace(/\s+\(<?\d+ms\)/g, ' (Nms)')
      // in the order of their answers
      .replace(/(?:^ {2}Server .*\n)+/gm, lines => `${lines.trimEnd().split('\n').sort().join('\n')}\n`))
  })

  test('has a peer of a /dnsaddr dial in', async () => {
    const resolver = await lab.host('resolver', { address: '11.0.0.53' })
    const address = `${HELPER}/p2p/${helperId}`
    await resolver.run('txt-server', {
      host: '11.0.0.53',
      zone: {
        '_dnsaddr.peers.example.org': ['dnsaddr=/dnsaddr/a.example.org', 'v=spf1 -all'],
        '_dnsaddr.a.example.org': [`dnsaddr=/ip4/11.0.0.9/udp/4001/quic-v1/p2p/${helperId}`, `dnsaddr=${address}`]
      }
    }).waitFor('listening')
    const home = await behind({ filtering: 'endpoint-independent' })
    const program = home.laptop.exec('sh', [
      '-c',
      // in the namespace of this program only
      'echo nameserver 11.0.0.53 > /run/resolv.conf && mount --bind /run/resolv.conf /etc/resolv.conf && exec "$@"',
      'check', process.execPath, COMMAND, 'check', '-4', '--peer', '/dnsaddr/peers.example.org', '--json',
      ...SERVERS.flatMap(uri => ['-s', uri])
    ])
    const report = await program.waitFor('verdict')

    expect(report).to.include({ verdict: 'anyone', exitCode: 0 })
    expect(report.families[0].dialBack).to.deep.equal({ outcome: 'reached', peer: address, stranger: true })
  })

  test('says that IPv6 is link-local only', async () => {
    const home = await behind({ filtering: 'endpoint-independent' })
    const [, linkLocal] = /inet6 (fe80:[\da-f:]+)/.exec(await home.laptop.sh('ip -6 addr show dev eth0')) ?? []
    const report = await check(home, 'IPv4, and IPv6 link-local only', {
      servers: [...SERVERS, 'stun:[2a00::1]'],
      versions: undefined,
      replace: { [linkLocal]: 'fe80::1' }
    })

    expect(report.families.map(({ verdict, because }: any) => because ?? verdict))
      .to.deep.equal(['anyone', 'no-network'])
  })

  describe('a running node', () => {
    test('says what it announces, and whose the port is', async () => {
      const home = await behind({ filtering: 'endpoint-independent' })
      const node = home.laptop.run('node', {
        listen: ['/ip4/0.0.0.0/tcp/4001'],
        stunServers: SERVERS,
        announce: 'always',
        punch: true
      })
      await node.waitFor('started')
      await node.happened(({ event, state }) => event === 'mapping' && state === 'mapped')
      const own = '/ip4/127.0.0.1/tcp/4001'
      const asked = home.laptop.exec(process.execPath, [COMMAND, 'check', '--node', own, '--json'])
      const report = await asked.waitFor('node')

      expect(report).to.include({ verdict: 'anyone', exitCode: 0, holePunching: true })
      expect(report.announced).to.deep.equal([`/ip4/${home.address}/tcp/4001`])

      const servers = SERVERS.flatMap(uri => ['-s', uri])
      const inUse = home.laptop.exec(process.execPath, [COMMAND, 'check', '--port', '4001', ...servers])
      const { code, stderr } = await inUse.waitFor('exit')
      const screen = inUse.events.filter(({ event }) => event === 'line').map(({ text }) => text).join('\n')

      expect(code).to.equal(1)
      expect(stderr).to.match(/port 4001 is in use by the process \d+ of the user \w+ \(\d+\): .*node/)
      expect(stderr).to.include('tcp-stun check --node /ip4/127.0.0.1/tcp/4001')
      expect(screen).to.include('The node announces a public address')
    })
  })

  /**
   * From a home with IPv4 behind a NAT, and IPv6 behind a firewall
   */
  async function checkBoth (nat: NATOptions, title: string): Promise<ProgramEvent> {
    const home = await behind(nat)
    const lan = `2a10:0:0:${home.number}`
    const network = await lab.firewall(`firewall${home.number}`, {
      address: `2a00:1::${home.number}`,
      lan: `${lan}::1/64`,
      ...FIREWALL
    })
    await home.laptop.join({ address: `${lan}::2`, network, latency: 0 })

    return check(home, title, {
      servers: [...SERVERS, 'stun:[2a00::1]'],
      helpers: [HELPER, '/ip6/2a00::9/tcp/4001'],
      versions: undefined,
      replace: { [`${lan}:`]: '2a10:0:0:1:' }
    })
  }

  async function behind (nat: NATOptions, upnp?: MiniupnpdInit): Promise<Home> {
    const number = ++made
    const address = `11.1.0.${number}`
    const router = await lab.router(`nat${number}`, { address, ...nat })
    const laptop = await lab.host(`home${number}`, { address: '192.168.1.2', network: router })

    if (upnp != null) {
      await startMiniupnpd(router, upnp)
    }

    return { laptop, address, router, number }
  }

  /**
   * Check, and compare what terminals of three widths show
   */
  async function check (
    { laptop, address }: Pick<Home, 'laptop' | 'address'>,
    title: string,
    { replace, ...init }: Partial<CheckScreensInit> = {}
  ): Promise<ProgramEvent> {
    const report = await measure(turn, laptop, {
      servers: SERVERS,
      helpers: [HELPER],
      versions: [4],
      widths: [57, 80, 120],
      replace: { [address]: '11.1.0.1', ...replace },
      ...init
    })

    for (const [columns, screen] of Object.entries<string>(report.screens)) {
      expectScreen('check advice', `${title}, ${columns} columns`, screen)
    }

    return report
  }
})
