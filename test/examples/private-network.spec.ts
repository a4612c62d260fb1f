import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { HELPER, runHelper } from '../nat/helper-network.ts'
import { runExample, said } from './example.ts'
import type { Host, Lab, Program } from '../nat-lab/index.ts'

describe('the example of a private network', function () {
  this.timeout(120_000)

  let folder: string
  let helper: Program | undefined

  before(async () => { folder = await mkdtemp(path.join(os.tmpdir(), 'private-network-')) })
  after(async () => { await rm(folder, { recursive: true }) })
  // a command of the user, which does not end with its standard input
  afterEach(() => { helper?.kill() })

  const { create } = laboratory('each')

  async function home (lab: Lab, name: string, address: string): Promise<Host> {
    const network = await lab.router(`router-${name}`, { address, filtering: 'address-and-port-dependent' })

    return lab.host(`laptop-${name}`, { address: '192.168.1.2', network })
  }

  it('connects two homes directly, and keeps out who does not have the key', async () => {
    const lab = await create()
    const key = path.join(folder, 'network.key')
    const running = await runHelper(await lab.host('helper', { address: HELPER }), '--network-key', key)
    helper = running.program
    const join = ['--helper', running.address]

    const a = runExample(await home(lab, 'a', '11.1.0.1'), 'private-network/index.js', ...join, '--key', key)
    const [aId] = await said(a, /^I am (\w+)$/)
    await said(a, new RegExp(`^on the board of ${running.id}$`))

    const outside = runExample(await home(lab, 'c', '11.3.0.1'), 'private-network/index.js', ...join)
    await said(outside, /^the helper does not answer: /)

    const b = runExample(await home(lab, 'b', '11.2.0.1'), 'private-network/index.js', ...join, '--key', key)
    const [bId] = await said(b, /^I am (\w+)$/)

    await Promise.all([
      said(a, new RegExp(`^found ${bId}$`)),
      said(a, new RegExp(`^connected to ${bId} directly: /ip4/11\\.2\\.0\\.1/`)),
      said(b, new RegExp(`^connected to ${aId} directly: /ip4/11\\.1\\.0\\.1/`))
    ])

    expect(outside.events.filter(({ text }) => /^(?:on the board|found|connected)/.test(text))).to.deep.equal([])
    await Promise.all([a, b, outside].map(async program => program.stop()))
  })
})
