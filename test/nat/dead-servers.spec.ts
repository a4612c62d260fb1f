import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { FAST, startServer } from '../nat-lab/home.ts'

/**
 * As many as the list of default servers has
 */
const ANSWERING = 4
const SILENT = 4
const REFUSING = 3

/**
 * Which servers are asked first is drawn at random. On a busy machine an answer may come
 * too late once.
 */
const RUNS = 4
const LATE = 1

describe('servers that do not answer', function () {
  this.timeout(120_000)

  const { create } = laboratory('each')

  it('do not keep the first address from being that of two servers', async () => {
    const lab = await create()
    const addresses = Array.from({ length: ANSWERING + SILENT + REFUSING }, (_, i) => `11.0.0.${i + 1}`)
    const hosts = await Promise.all(addresses.map(async (address, i) => lab.host(`stun${i + 1}`, { address })))
    await Promise.all(hosts.slice(0, ANSWERING).map(async host => startServer(host, {})))
    await Promise.all(hosts.slice(ANSWERING, ANSWERING + SILENT).map(async host => host.freeze()))
    const router = await lab.router('router', { address: '11.1.0.1', ports: 'random', latency: 25 })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })
    const agreed: number[] = []

    for (let run = 0; run < RUNS; run++) {
      const program = laptop.run('mapping', {
        ...FAST,
        port: 4001 + run,
        stunServers: addresses.map(address => `stun:${address}`)
      })
      const { servers } = await program.waitFor('mapping', ({ state }) => state === 'mapped')

      agreed.push(servers.length)
      await program.stop()
    }

    expect(agreed.filter(servers => servers >= 2), String(agreed)).to.have.lengthOf.at.least(RUNS - LATE)
  })
})
