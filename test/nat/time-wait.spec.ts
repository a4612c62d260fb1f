import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { FAST, lastMapping, setUpHome, startServer } from '../nat-lab/home.ts'
import { report } from '../nat-lab/report/index.ts'
import type { Home } from '../nat-lab/home.ts'
import type { Host, Lab, Program } from '../nat-lab/index.ts'

const SERVERS = ['stun:11.0.0.1', 'stun:11.0.0.2']

/**
 * How long Linux keeps a connection in TIME_WAIT, and how often it is tried again, in ms
 */
const TIME_WAIT = 60_000
const RETRY = 5_000

/**
 * A process that is killed leaves its connections in TIME_WAIT. Without TCP timestamps
 * the system refuses another connection between the same two endpoints for a minute.
 */
describe('a program that was killed and starts again on the same port', function () {
  this.timeout(180_000)

  const { create } = laboratory('each')

  /**
   * A home whose program was killed, and whose servers do without timestamps
   */
  async function setUp (): Promise<{ lab: Lab, home: Home }> {
    const lab = await create()
    const home = await setUpHome(lab, {
      servers: [{}, {}],
      prepare: async ({ servers }) => {
        await Promise.all(servers.map(async ({ host }) => host.sh('sysctl -q -w net.ipv4.tcp_timestamps=0')))
      }
    })
    home.program.kill()
    await home.program.happened(({ event }) => event === 'exit')

    return { lab, home }
  }

  async function restart ({ laptop }: Home, stunServers: string[]): Promise<Program> {
    const program = laptop.run('mapping', { stunServers, ...FAST })
    await program.waitFor('started')

    return program
  }

  const expectTimeWait = (program: Program, servers: string[]): void => {
    const { failures } = lastMapping(program)

    expect(failures.map(({ server }: any) => server)).to.have.members(servers)
    failures.forEach(({ message }: any) => {
      expect(message).to.include('an earlier connection is in TIME_WAIT, up to 60 s')
    })
  }

  it('has an address at once where there is another server', async () => {
    const { lab, home } = await setUp()
    await startServer(await lab.host('stun3', { address: '11.0.0.3' }), {})
    const program = await restart(home, [...SERVERS, 'stun:11.0.0.3'])

    expect(lastMapping(program)).to.deep.include({ state: 'mapped', servers: ['stun:11.0.0.3'] })
    expectTimeWait(program, SERVERS)
  })

  it('has an address as soon as the system has forgotten one connection', async () => {
    const { home } = await setUp()
    const killed = Date.now()
    const program = await restart(home, SERVERS)
    expect(lastMapping(program)).to.have.property('state', 'lost')
    expectTimeWait(program, SERVERS)

    await forget(home.laptop)
    const { at } = await program.waitFor('mapping', ({ state }) => state === 'mapped', TIME_WAIT + 30_000)

    if (report.isWhole) {
      expect(at - killed).to.be.at.most(TIME_WAIT + RETRY + 1_000)
    }
  })
})

/**
 * Let the system forget what is in TIME_WAIT. Otherwise that takes a minute.
 */
const forget = byExtent({
  sample: async (host: Host) => { await host.sh('ss --kill state time-wait > /dev/null') },
  full: async () => {},
  report: async () => {}
})
