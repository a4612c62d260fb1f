import { expect } from 'aegir/chai'
import { predictPorts } from '../../src/dcutr/hard/port-prediction.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { ALLOCATIONS, countSYNs } from '../nat-lab/index.ts'
import type { PortSample } from '../../src/dcutr/hard/port-prediction.ts'
import type {
  Host, Lab, NATOptions, Network, Place, PortAllocation, Program, ProgramEvent, Router
} from '../nat-lab/index.ts'

const SERVERS = ['11.0.0.1', '11.0.0.2', '11.0.0.3', '11.0.0.4']

/**
 * More than eight tell no more
 */
const COUNT = 10

/**
 * What is learned of each
 */
const LEARNED: Record<keyof typeof ALLOCATIONS, object> = {
  'steps of 1': { type: 'sequential', step: 1 },
  'steps of 2': { type: 'sequential', step: 2 },
  'steps of 256': { type: 'sequential', step: 256 },
  '64 ports in a fixed order': { type: 'block' },
  'MAP-E, 15 pieces of 16 ports': { type: 'block' },
  'block of 512': { type: 'block' },
  'block of 1024': { type: 'block' },
  'block of 2048': { type: 'block' },
  'ports from 32768 to 60999': { type: 'wide' },
  'all ports': { type: 'wide' }
}

describe('how NATs of the laboratory choose ports', function () {
  this.timeout(60_000)

  const { create } = laboratory('all')
  let lab: Lab
  let homes = 0

  before(async () => {
    lab = await create()

    for (const [i, address] of SERVERS.entries()) {
      await (await lab.host(`stun${i}`, { address })).run('stun-server', { host: address }).waitFor('listening')
    }
  })

  async function home (
    nat: NATOptions & { latency?: number },
    network?: Network
  ): Promise<{ router: Router, laptop: Host }> {
    homes++
    const router = await lab.router(`router${homes}`, {
      address: network == null ? `11.1.0.${homes}` : '100.64.0.2',
      network,
      ...nat
    })

    return { router, laptop: await lab.host(`laptop${homes}`, { address: '192.168.1.2', network: router }) }
  }

  async function start (program: string, place: Place, init: object): Promise<Program> {
    const running = (await lab.host(`${program}${homes}`, place)).run(program, init)
    await running.waitFor('ready')

    return running
  }

  async function bind (laptop: Host, count = COUNT): Promise<PortSample[]> {
    const program = laptop.run('bindings', { servers: SERVERS })
    await program.waitFor('ready')
    const { samples } = await program.ask('bind', { count }, 'bound')
    await program.stop()

    return samples
  }

  function expectPorts (samples: PortSample[], allocation: PortAllocation): void {
    const ports = samples.map(({ externalPort }) => externalPort)
    // connections to several servers may share one
    expect(new Set(ports).size).to.be.at.least(ports.length / 2)

    if (allocation.type === 'sequential') {
      expect(ports).to.deep.equal(ports.map((_, i) => ports[0] + i * allocation.step))
      return
    }

    if (allocation.type === 'listed') {
      const first = allocation.ports.indexOf(ports[0])
      expect(ports).to.deep.equal(ports.map((_, i) => allocation.ports[(first + i) % allocation.ports.length]))
      return
    }

    const { ranges } = allocation
    const used = ranges.filter(({ from, to }) => ports.some(port => port >= from && port <= to))
    expect(ports.filter(port => !ranges.some(({ from, to }) => port >= from && port <= to))).to.be.empty()
    expect(used.length).to.be.at.least(Math.min(ranges.length, 3))
    expect(ports).to.not.deep.equal(ports.toSorted((a, b) => a - b))
  }

  for (const [title, allocation] of Object.entries(ALLOCATIONS) as Array<[keyof typeof ALLOCATIONS, PortAllocation]>) {
    it(`${title}: the ports are as they should be, and are learned`, async () => {
      const { router, laptop } = await home({ ports: allocation })
      const count = await countSYNs(laptop, { servers: '11.0.0.0/24' })
      const samples = await bind(laptop)

      expect(samples.map(({ externalHost }) => externalHost)).to.deep.equal(samples.map(() => router.address))
      expectPorts(samples, allocation)
      expect(predictPorts(samples)).to.include(LEARNED[title])
      expect(await count()).to.deep.equal({ servers: COUNT })
    })
  }

  it('a block at the carrier, with random ports at home', async () => {
    const allocation = ALLOCATIONS['block of 512']
    const carrier = await lab.router('carrier', { address: '11.1.1.1', lan: '100.64.0.1/24', ports: allocation })
    const { laptop } = await home({ ports: ALLOCATIONS['all ports'] }, carrier)
    const samples = await bind(laptop)

    expect(samples[0].externalHost).to.equal(carrier.address)
    expectPorts(samples, allocation)
  })

  for (const rate of [50, 400]) {
    it(`a neighbour takes ${rate} ports a second of a NAT that counts`, async () => {
      const { router, laptop } = await home({ ports: ALLOCATIONS['steps of 1'], latency: 5 })
      const place = { address: '192.168.1.3', network: router }
      const neighbour = await start('neighbour', place, { host: SERVERS[0], port: 9, rate })
      const { begun: before, seconds: from } = await neighbour.ask('count')
      const samples = await bind(laptop, 30)
      const { begun: after, seconds: to } = await neighbour.ask('count')
      await neighbour.stop()
      const climb = samples[samples.length - 1].externalPort - samples[0].externalPort

      // it is slower where the machine is busy
      expect((after - before) / (to - from)).to.be.within(1, rate * 1.5)
      // its ports lie between ours
      expect(climb - (samples.length - 1)).to.be.within(1, after - before)
      expect(predictPorts(samples)).to.deep.equal({ type: 'sequential', step: 1 })
    })
  }

  for (const [title, rate] of [
    ['steps of 1', 0], ['steps of 1', 50], ['steps of 1', 400], ['steps of 2', 50], ['steps of 256', 50]
  ] as const) {
    it(`${title}, ${rate} foreign connections a second: two Bindings bracket our ports`, async () => {
      const { router, laptop } = await home({ ports: ALLOCATIONS[title], latency: 20 })

      if (rate > 0) {
        await start('neighbour', { address: '192.168.1.3', network: router }, { host: SERVERS[0], port: 9, rate })
      }

      const [peer, ...stunServers] = SERVERS.toReversed().map((host, i) => i === 0 ? host : `stun:${host}`)
      const program = laptop.run('bracket', { peer, stunServers })
      await program.waitFor('ready')
      const bracket = async (): Promise<ProgramEvent> =>
        program.ask('bracket', { connects: 8, limit: 64 }, 'bracketed')
      const isMet = ({ prediction, ports, ours }: ProgramEvent): boolean =>
        prediction.type === 'sequential' && ours.every((port: number) => ports.includes(port))
      let result = await bracket()

      // the NAT may have begun again with its first port in between, or the machine is so busy that
      // the neighbour takes more ports than are probed
      for (let i = 0; i < 9 && !isMet(result); i++) {
        process.stdout.write(`      missed: ${JSON.stringify(result)}\n`)
        result = await bracket()
      }

      const { prediction, ports, ours } = result
      await program.stop()

      expect(prediction).to.include({ type: 'sequential' })
      expect(ours).to.have.lengthOf(8)
      expect(ports).to.include.members(ours)
      expect(ports.length).to.be.at.most(64)
    })
  }

  for (const [unsolicited, failure] of [['drop', 'timeout'], ['reset', 'ECONNREFUSED']] as const) {
    it(`a stranger's SYN: ${unsolicited}`, async () => {
      const { router } = await home({ ports: ALLOCATIONS['block of 512'], unsolicited })
      const stranger = await start('dialler', { address: `11.0.1.${router.address.split('.')[3]}` }, { timeout: 500 })

      expect(await stranger.ask('probe', { host: router.address, port: 20_500 })).to.include({ failure })
    })
  }
})
