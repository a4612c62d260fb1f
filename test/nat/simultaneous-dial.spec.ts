import { expect } from 'aegir/chai'
import { byExtent } from '../fixtures/extent.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { dialEachOther } from '../nat-lab/dial-each-other.ts'
import { lastMapping } from '../nat-lab/home.ts'
import type { StartedPeer } from '../nat-lab/dial-each-other.ts'
import type { Host, Lab } from '../nat-lab/index.ts'

/**
 * `RUNS=50 npm run test:nat`
 */
const RUNS = Number(process.env.RUNS ?? byExtent({ sample: 3, full: 10, report: 50 }))

const STUN_SERVERS = ['11.0.0.1', '11.0.0.2']

/**
 * Two peers dial each other's port within one one-way delay. Behind a NAT they do so from
 * their listening ports: TCP makes one connection of both dials (simultaneous open), and
 * both sides are its initiator.
 */
describe('two peers that dial each other at the same time', function () {
  this.timeout(600_000)

  const { create } = laboratory('each')

  for (const { title, build, latencies } of [
    { title: 'without NATs', build: buildPublicHosts, latencies: [0, 1, 20, 100] },
    { title: 'behind NATs that admit strangers', build: buildHomes, latencies: [1, 20] }
  ]) {
    for (const latency of latencies) {
      it(`both connect, ${title}, ${latency} ms one way: ${RUNS} times`, async () => {
        const [a, b] = await build(await create(), latency / 2)
        const failures: string[] = []

        for (let i = 0; i < RUNS; i++) {
          // the ports of the run before may be in TIME_WAIT
          const peers = await Promise.all([start(a, 4001 + i), start(b, 4001 + i)])
          failures.push(...await dialEachOther(...peers))
          await Promise.all(peers.map(async ({ program }) => program.stop()))
        }

        expect(failures, `${failures.length} of ${2 * RUNS} dials failed`).to.be.empty()
      })
    }
  }
})

/**
 * A host, and whether it is behind a NAT
 */
interface Site {
  host: Host
  isTranslated: boolean
}

async function buildPublicHosts (lab: Lab, latency: number): Promise<[Site, Site]> {
  return [
    { host: await lab.host('a', { address: '11.0.0.11', latency }), isTranslated: false },
    { host: await lab.host('b', { address: '11.0.0.12', latency }), isTranslated: false }
  ]
}

async function buildHomes (lab: Lab, latency: number): Promise<[Site, Site]> {
  for (const [i, address] of STUN_SERVERS.entries()) {
    await (await lab.host(`stun${i}`, { address })).run('stun-server', { host: address }).waitFor('listening')
  }

  const home = async (name: string, address: string): Promise<Site> => {
    const network = await lab.router(`router-${name}`, { address, latency, filtering: 'endpoint-independent' })

    return { host: await lab.host(name, { address: '192.168.1.2', network }), isTranslated: true }
  }

  return [await home('a', '11.1.0.1'), await home('b', '11.2.0.1')]
}

async function start ({ host, isTranslated }: Site, port: number): Promise<StartedPeer> {
  const program = host.run('node', {
    listen: [`/ip4/0.0.0.0/tcp/${port}`],
    stunServers: isTranslated ? STUN_SERVERS.map(server => `stun:${server}`) : []
  })
  const { id } = await program.waitFor('started')

  return { program, id, address: isTranslated ? lastMapping(program).external : `/ip4/${host.address}/tcp/${port}` }
}
