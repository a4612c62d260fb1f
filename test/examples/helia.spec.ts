import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { startServer } from '../nat-lab/home.ts'
import { runExample, said } from './example.ts'

const SERVERS = ['11.0.0.1', '11.0.0.2']

/**
 * Each is a process and a Helia node of its own
 */
const FETCHES = 10
const PARALLEL = 2

describe('the example of a Helia node', function () {
  this.timeout(300_000)

  const { create } = laboratory('each')

  it(`shares a file that ${FETCHES} stock Helia nodes outside fetch by dialling it`, async () => {
    const lab = await create()

    for (const address of SERVERS) {
      await startServer(await lab.host(`stun${address.at(-1)}`, { address }), {})
    }

    const router = await lab.router('router', { address: '11.1.0.1', filtering: 'endpoint-independent' })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })
    const outside = await lab.host('outside', { address: '11.0.0.50' })
    const stun = SERVERS.flatMap(address => ['--stun', `stun:${address}`])
    const home = runExample(laptop, 'helia/index.js', ...stun)
    const [address] = await said(home, /^public address (\/ip4\/11\.1\.0\.1\/tcp\/\d+\/p2p\/\w+)$/)
    const [cid] = await said(home, /^shares .* as (\w+)$/)

    const fetch = async (): Promise<void> => {
      const node = runExample(outside, 'helia/fetch.js', address, cid)
      const [bytes, from] = await said(node, /^fetched (\d+) bytes from (.*)$/)
      expect(Number(bytes)).to.be.greaterThan(1_000)
      expect(from).to.equal(address)
      await node.stop()
    }

    for (let i = 0; i < FETCHES; i += PARALLEL) {
      await Promise.all(Array.from({ length: PARALLEL }, fetch))
    }

    await home.stop()
  })
})
