import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { report } from '../nat-lab/report/index.ts'
import { FIVE_HOMES, HELPER, addHome, canBeDirect, runHelper } from './helper-network.ts'
import type { RunningHelper } from './helper-network.ts'
import type { Lab, Program, ProgramEvent } from '../nat-lab/index.ts'
import type { Figure } from '../nat-lab/report/index.ts'

interface Member {
  name: string
  program: Program
  id: string
}

/**
 * On a busy machine, in ms
 */
const PATIENCE = 60_000

describe('a network of five homes with a helper', function () {
  this.timeout(300_000)

  const helpers: RunningHelper[] = []
  const figures: Figure[] = []
  let folder: string

  before(async () => { folder = await mkdtemp(path.join(tmpdir(), 'five-homes-')) })
  after(async () => { await rm(folder, { recursive: true }) })
  after(async () => { await report.figures('helper.md', 'five-homes', figures) })
  // a command of the user, which does not end with its standard input
  afterEach(() => { helpers.splice(0).forEach(({ program }) => { program.kill() }) })

  const { create } = laboratory('each')

  async function startHelper (lab: Lab, name = 'helper', address = HELPER): Promise<RunningHelper> {
    const host = await lab.host(name, { address })
    const helper = await runHelper(host, '--key', path.join(folder, name))
    helpers.push(helper)

    return helper
  }

  async function startMembers (lab: Lab, helper: string | string[]): Promise<Member[]> {
    const hosts = await Promise.all(FIVE_HOMES.map(async (kind, i) => addHome(lab, i, kind)))

    return Promise.all(hosts.map(async (host, i) => {
      const program = host.run('member', { helper })
      const { id } = await program.waitFor('started', undefined, PATIENCE)

      return { name: FIVE_HOMES[i].name, program, id }
    }))
  }

  function measured (title: string, value: number, limit: number): void {
    process.stdout.write(`      ${title}: ${value} ms\n`)
    figures.push({ title, value: `${value} ms`, target: `at most ${limit} ms`, reached: value <= limit })

    // a busy machine proves nothing
    if (report.isWhole) {
      expect(value, title).to.be.at.most(limit)
    }
  }

  it('all know all, and every pair that can be is connected directly', async () => {
    const lab = await create()
    const helper = await startHelper(lab)
    const members = await startMembers(lab, helper.address)
    const start = Math.max(...members.map(({ program }) => startedAt(program)))

    const found = await forEachPair(members, async (a, b) => a.program.happened(
      // a peer that has connected before needs no board
      ({ event, peer }) => (event === 'found' || event === 'connected') && peer === b.id, PATIENCE
    ))
    measured('all know all', latest(found) - start, 5_000)

    const direct = await forEachPair(members, async (a, b) => a.program.happened(
      ({ event, peer, relayed }) => event === 'connected' && peer === b.id &&
        (relayed === false || !canBeDirect(a.name, b.name)),
      PATIENCE
    ))
    measured('all are connected, directly where the NATs allow it', latest(direct) - start, 10_000)

    for (const a of members) {
      for (const b of members.filter(({ id }) => id !== a.id)) {
        expect(await a.program.ask('echo', { peer: b.id, bytes: 10_000 }, 'echoed')).to.include({ equal: true })
      }
    }
  })
})

function startedAt (program: Program): number {
  return program.events.find(({ event }) => event === 'started')?.at ?? 0
}

async function forEachPair (
  members: Member[],
  handle: (a: Member, b: Member) => Promise<ProgramEvent>
): Promise<ProgramEvent[]> {
  return Promise.all(members.flatMap(a => members.filter(b => b !== a).map(async b => handle(a, b))))
}

function latest (events: ProgramEvent[]): number {
  return Math.max(...events.map(({ at }) => at))
}
