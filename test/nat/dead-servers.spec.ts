import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { FAST, startServer } from '../nat-lab/home.ts'

/**
 * As many as the list of default servers has
 */
const ANSWERING = 4
const SILENT = 4
const REFUSING = 3

/**
 * Which servers are drawn first is random
 */
const RUNS = 4

/**
 * How long the first address takes is measured by `npm run bench:mapping -- --part 'dead servers'`
 */
describe('servers that do not answer', function () {
  this.timeout(120_000)

  const { create } = laboratory('each')

  it('are not waited for until two others have reported the address', async () => {
    const lab = await create()
    const addresses = Array.from({ length: ANSWERING + SILENT + REFUSING }, (_, i) => `11.0.0.${i + 1}`)
    const hosts = await Promise.all(addresses.map(async (address, i) => lab.host(`stun${i + 1}`, { address })))
    const servers = await Promise.all(hosts.slice(0, ANSWERING).map(async host => startServer(host, {})))
    await Promise.all(hosts.slice(ANSWERING, ANSWERING + SILENT).map(async host => host.freeze()))
    const router = await lab.router('router', { address: '11.1.0.1', ports: 'random', latency: 25 })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })
    const open = async (): Promise<number> => {
      const counters = await Promise.all(servers.map(async server => server.ask('counters')))

      return counters.reduce((sum, { connections }) => sum + connections, 0)
    }

    for (let run = 0; run < RUNS; run++) {
      const program = laptop.run('mapping', {
        ...FAST,
        port: 4001 + run,
        stunServers: addresses.map(address => `stun:${address}`)
      })
      const { state, failures } = await program.waitFor('mapping', ({ servers }) => servers?.length >= 2)

      expect(state).to.equal('mapped')
      // that of a silent server comes by a time limit
      expect(failures.map(({ name }: Error) => name)).to.not.include('STUNTimeoutError')

      await waitUntil('two connections are left', async () => await open() === 2)
      await program.stop()
      await waitUntil('they are closed', async () => await open() === 0)
    }
  })
})
