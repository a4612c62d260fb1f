import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { expectScreen } from '../fixtures/screens.ts'
import { oneAtATime, sideBySide } from '../fixtures/side-by-side.ts'
import { KINDS, cellsOf, homeAddress } from '../nat-lab/kinds.ts'
import { COMMAND, measure, startsServers } from './check-command.ts'
import type { Host, Lab, NATOptions, Network, Program, ProgramEvent } from '../nat-lab/index.ts'
import type { Kind } from '../nat-lab/kinds.ts'

/**
 * Two servers with two ports each, and a helper that no home has contacted
 */
const SERVERS = { 4: ['11.0.0.1', '11.0.0.2'], 6: ['2a00::1', '2a00::2'] }
const HELPER = { 4: '11.0.0.9', 6: '2a00::9' }

/**
 * A check mostly waits: 3 s for a dial that nobody answers
 */
const AT_ONCE = 3

describe('tcp-stun check', function () {
  this.timeout(60_000)

  const test = sideBySide(AT_ONCE)
  const turn = oneAtATime()
  const { serve } = startsServers()
  const { create } = laboratory('all')
  let lab: Lab
  let made = 0

  before(async () => {
    lab = await create()

    for (const version of [4, 6] as const) {
      for (const [i, address] of SERVERS[version].entries()) {
        const host = await lab.host(`stun${version}-${i}`, { address })
        const ports = [3478, 3479].flatMap(port => ['--listen', `${bracket(address)}:${port}`])
        await serve(host, 'server', ...ports)
      }

      const host = await lab.host(`helper${version}`, { address: HELPER[version] })
      await serve(
        host,
        'helper',
        '--listen',
        `${bracket(HELPER[version])}:4001`,
        '--stun-listen',
        `${bracket(HELPER[version])}:3478`
      )
    }
  })

  describe('gives the right verdict', () => {
    for (const kind of KINDS) {
      describe(kind.title, () => {
        for (const { mapping, filtering } of cellsOf(kind)) {
          test(`${mapping} mapping, ${filtering} filtering`, async () => {
            const { version } = kind
            const nat = kind.home != null
            const { home, external } = await behind(kind, { mapping, filtering })
            const report = await screens(home, kind, external)
            const [family] = report.families

            for (const [columns, screen] of Object.entries<string>(report.screens)) {
              const cell = `${mapping} mapping, ${filtering} filtering, ${columns} columns`
              expectScreen(`check ${kind.title}`, cell, screen)
            }

            expect(report.families).to.have.lengthOf(1)
            expect(family).to.include({ version, nat, mapping })

            if (mapping !== 'endpoint-independent') {
              expect(report).to.include({ verdict: 'relay', exitCode: 2 })
              expect(family.dialBack).to.include({ outcome: 'not-asked', because: 'no-address' })
              return
            }

            expect(report).to.include(
              filtering === 'endpoint-independent'
                ? { verdict: 'anyone', exitCode: 0 }
                : { verdict: 'hole-punching', exitCode: 6 }
            )
            expect(report.external.startsWith(`${bracket(nat ? external : home.address)}:`)).to.equal(
              true,
              report.external
            )
            expect(family).to.include({ portPreserved: kind.ports === 'preserved' })
          })
        }
      })
    }
  })

  describe('does not claim more than it has seen', () => {
    const [CONE] = KINDS

    it('inconclusive, when no peer outside was asked', async () => {
      const { home } = await behind(CONE, { filtering: 'endpoint-independent' })

      expect(await check(home, ...servers(4))).to.include({
        verdict: 'inconclusive',
        because: 'not-asked',
        exitCode: 5
      })
    })

    it('inconclusive, when the peer that dialled in had been contacted before', async () => {
      const { home } = await behind(CONE, { filtering: 'address-dependent' })
      const report = await check(home, '--server', `stun:${HELPER[4]}`, '--helper', `${HELPER[4]}:4001`)

      expect(report).to.include({ verdict: 'inconclusive', because: 'peer-contacted' })
      expect(report.families[0].mapping).to.equal('unknown')
    })

    it('asks the server on the host of the helper last, so that the helper is a stranger', async () => {
      const { home } = await behind(CONE, { filtering: 'address-dependent' })
      const report = await check(
        home,
        '--server',
        `stun:${HELPER[4]}`,
        '--server',
        `stun:${SERVERS[4][0]}`,
        '--helper',
        `${HELPER[4]}:4001`
      )

      expect(report).to.include({ verdict: 'hole-punching' })
      expect(report.families[0].mapping).to.equal('endpoint-independent')
    })

    it('inconclusive, when the helper is not there', async () => {
      const { home } = await behind(CONE, {})
      const report = await check(home, ...servers(4), '--helper', `${SERVERS[4][0]}:4001`)

      expect(report).to.include({ verdict: 'inconclusive', because: 'peer-failed' })
      expect(report.families[0].dialBack.outcome).to.equal('failed')
    })

    it('no-address, when no server answers', async () => {
      const { home } = await behind(CONE, {})
      const report = await check(
        home,
        '--server',
        `stun:${SERVERS[4][0]}:9`,
        '--server',
        'stun:11.0.0.200',
        '--timeout',
        '3000'
      )

      expect(report).to.include({ verdict: 'no-address', because: 'no-answer', exitCode: 3 })
      expect(report.families[0].failures).to.have.lengthOf(2)
    })
  })

  describe('sees', () => {
    const [CONE] = KINDS

    for (const hairpin of [true, false]) {
      it(`that hairpinning ${hairpin ? 'works' : 'does not'}`, async () => {
        const { home } = await behind(
          {
            ...CONE,
            build: async (lab, name, address) =>
              lab.router(name, { address, hairpin, filtering: 'endpoint-independent' })
          },
          {}
        )
        const report = await check(home, ...servers(4))

        expect(report.families[0].hairpin).to.equal(hairpin ? 'works' : 'fails')
      })
    }

    it('the address of a carrier at the machine itself', async () => {
      const { home } = await behind(
        {
          ...CONE,
          home: '100.64.0.2',
          build: async (lab, name, address) => lab.router(name, { address, lan: '100.64.0.1/24' })
        },
        {}
      )
      const report = await check(home, ...servers(4))

      expect(report.families[0].carrierNAT).to.deep.equal({
        seen: 'yes',
        evidence: 'local-address',
        address: '100.64.0.2'
      })
    })

    it('a carrier by a server that is inside its network', async () => {
      const { home, outer } = await behind({
        ...CONE,
        build: async (lab, name, address) => {
          const network = await lab.router(`${name}-c`, { address, lan: '100.64.0.1/24' })
          const inside = await lab.host(`${name}-s`, { address: '100.64.0.9', network })
          await serve(inside, 'server', '--listen', '100.64.0.9:3478')

          return lab.router(`${name}-h`, { address: '100.64.0.2', network })
        }
      }, {})
      expect(outer).to.have.property('address', '100.64.0.2')
      const report = await check(home, ...servers(4), '--server', 'stun:100.64.0.9')

      expect(report.families[0].carrierNAT).to.deep.equal({
        seen: 'yes',
        evidence: 'server-inside',
        address: '100.64.0.2'
      })
      expect(report.families[0].failures).to.have.lengthOf(1)
      expect(report.families[0].mapping).to.equal('endpoint-independent')
    })

    it('a server that lies, and one that hangs up', async () => {
      const { home } = await behind(CONE, {})
      const liar = await lab.host('liar', { address: '11.0.0.20' })
      await liar.run('stun-server', { host: '11.0.0.20', lie: { host: '11.9.9.9', port: 9 } }).waitFor('listening')
      const brief = await lab.host('brief', { address: '11.0.0.21' })
      await brief.run('stun-server', { host: '11.0.0.21', hangUp: 1_000 }).waitFor('listening')
      const report = await check(
        home,
        ...servers(4),
        '--server',
        'stun:11.0.0.20',
        '--server',
        'stun:11.0.0.21',
        '--hold',
        '3'
      )
      const held = Object.fromEntries(report.families[0].held.map(({ server, ended }: any) => [server, ended]))

      expect(report.families[0].dissenters).to.deep.equal(['stun:11.0.0.20'])
      expect(report.families[0].mapping).to.equal('endpoint-independent')
      expect(held['stun:11.0.0.21']).to.include('ECONNRESET')
      expect(held[`stun:${SERVERS[4][0]}`]).to.equal(undefined)
    })
  })

  /**
   * Check, and print that for three terminals
   */
  async function screens (home: Host, { version }: Kind, external: string): Promise<ProgramEvent> {
    const network = home.address.replace(/::2$/, '::')

    return measure(turn, home, {
      servers: SERVERS[version].map(address => `stun:${bracket(address)}`),
      helpers: [`/ip${version}/${HELPER[version]}/tcp/4001`],
      widths: [57, 80, 120],
      // each home of the laboratory has another address outside
      replace: {
        [external]: version === 4 ? '11.1.0.1' : '2a00:1::1',
        ...(network.startsWith('2a10:') ? { [network]: '2a10:0:0:1::' } : {})
      }
    })
  }

  function servers (version: 4 | 6): string[] {
    return SERVERS[version].flatMap(address => ['--server', `stun:${bracket(address)}`])
  }

  async function behind (kind: Kind, nat: NATOptions): Promise<{ home: Host, external: string, outer: Network }> {
    const number = ++made
    const external = kind.version === 4 ? `11.1.0.${number}` : `2a00:1::${number.toString(16)}`
    const outer = await kind.build(lab, `nat${number}`, external, nat)
    const address = homeAddress(kind, outer)

    return { home: await lab.host(`home${number}`, { address, network: outer }), external, outer }
  }
})

function command (host: Host, ...args: string[]): Program {
  return host.exec(process.execPath, [COMMAND, ...args])
}

/**
 * Run the built command, and return its verdict
 */
async function check (host: Host, ...args: string[]): Promise<ProgramEvent> {
  const program = command(host, 'check', ...args, '--json')
  const report = await program.waitFor('verdict')
  const { code } = await program.waitFor('exit')
  expect(code).to.equal(report.exitCode)

  return report
}

function bracket (address: string): string {
  return address.includes(':') ? `[${address}]` : address
}
