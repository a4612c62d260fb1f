import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { HELPER, runHelper } from './helper-network.ts'
import type { RunningHelper } from './helper-network.ts'
import type { NATOptions, ProgramEvent } from '../nat-lab/index.ts'

const PATIENCE = 60_000

/**
 * Two members in one home reach each other over its own network, also where the router does
 * not pass connections to its external address back inside
 */
describe('two members behind one router', function () {
  this.timeout(300_000)

  let helper: RunningHelper | undefined

  // a command of the user, which does not end with its standard input
  afterEach(() => { helper?.program.kill() })

  const { create } = laboratory('each')

  for (const { title, nat } of [
    { title: 'a filtering NAT', nat: { filtering: 'address-and-port-dependent' } },
    { title: 'a full cone NAT without hairpinning', nat: { filtering: 'endpoint-independent' } },
    { title: 'a symmetric NAT', nat: { mapping: 'address-and-port-dependent', ports: 'random' } }
  ] satisfies Array<{ title: string, nat: NATOptions }>) {
    // eslint-disable-next-line no-loop-func
    it(`${title}: they are connected directly`, async () => {
      const lab = await create()
      helper = await runHelper(await lab.host('helper', { address: HELPER }))
      const { address: helperAddress } = helper
      const router = await lab.router('router', { address: '11.1.0.1', ...nat })
      const [a, b] = await Promise.all(['192.168.1.2', '192.168.1.3'].map(async (address, i) => {
        const host = await lab.host(`laptop${i}`, { address, network: router })
        const program = host.run('member', { helper: helperAddress })
        const { id } = await program.waitFor('started', undefined, PATIENCE)

        return { program, id }
      }))

      const isDirect = (peer: string): (event: ProgramEvent) => boolean => event =>
        event.event === 'connected' && event.peer === peer && event.relayed === false
      const [{ remote }] = await Promise.all([
        a.program.happened(isDirect(b.id), PATIENCE),
        b.program.happened(isDirect(a.id), PATIENCE)
      ])

      expect(remote).to.match(/^\/ip4\/192\.168\.1\.3\/tcp\/\d+/)
      expect(await a.program.ask('echo', { peer: b.id, bytes: 10_000 }, 'echoed')).to.include({ equal: true })
    })
  }
})
