import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { FIVE_HOMES, HELPER, addHome, runHelper } from './helper-network.ts'
import type { HomeKind, RunningHelper } from './helper-network.ts'
import type { ProgramEvent } from '../nat-lab/index.ts'

/**
 * A second public address of the helper, in another network
 */
const SECOND = '13.0.0.9'

/**
 * On a busy machine, in ms
 */
const PATIENCE = 60_000

const [FULL_CONE] = FIVE_HOMES
const ADDRESS_DEPENDENT: HomeKind = { name: 'address-dependent filtering', nat: { filtering: 'address-dependent' } }

/**
 * The port of a home has contacted the only helper that there is, so a NAT may admit that one and nobody else
 */
describe('a home with one helper', function () {
  this.timeout(240_000)

  const helpers: RunningHelper[] = []
  // a command of the user, which does not end with its standard input
  afterEach(() => { helpers.splice(0).forEach(({ program }) => { program.kill() }) })

  const { create } = laboratory('each')

  for (const { kind, announces } of [
    { kind: FULL_CONE, announces: true },
    { kind: ADDRESS_DEPENDENT, announces: false }
  ]) {
    const outcome = announces ? 'announces' : 'does not announce'

    it(`that dials back from a second address ${outcome} its own, ${kind.name}`, async () => {
      const lab = await create()
      const host = await lab.host('helper', { address: HELPER })
      await host.sh(`ip addr add ${SECOND}/32 dev eth0`)
      const helper = await runHelper(host, '--dial-back-from', SECOND)
      helpers.push(helper)
      const laptop = await addHome(lab, 0, kind)
      const home = laptop.run('member', { helper: helper.address })
      const isAnnounced = ({ addresses }: ProgramEvent): boolean =>
        addresses?.some((text: string) => text.startsWith('/ip4/11.1.0.1/')) === true

      if (announces) {
        await home.happened(isAnnounced, PATIENCE)
        return
      }

      const dialsBack = async (): Promise<boolean> => await host.sh(`ss -Htn state syn-sent src ${SECOND}`) !== ''
      await waitUntil('the helper dials back', dialsBack, PATIENCE)
      await waitUntil('the helper has given up', async () => !await dialsBack(), PATIENCE)
      expect(home.events.filter(isAnnounced)).to.deep.equal([])
    })
  }
})
