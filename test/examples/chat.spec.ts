import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { setUp } from '../nat/homes.ts'
import { runInteractiveExample, said } from './example.ts'
import type { Side } from '../nat/homes.ts'
import type { Program } from '../nat-lab/index.ts'

const HOME: Side = { nat: { filtering: 'address-and-port-dependent' } }

describe('the example of a chat', function () {
  this.timeout(120_000)

  const { create } = laboratory('each')

  it('writes from one home to another over a punched connection', async () => {
    const lab = await create()
    const { a: first, b: second, relayAddress, options } = await setUp(lab, { a: HOME, b: HOME, latency: 20 })
    const args = ['--relay', relayAddress, ...(options.stunServers ?? []).flatMap(uri => ['--stun', uri])]

    const a = runInteractiveExample(first.laptop, 'chat/index.js', ...args)
    const [address] = await said(a, /^others reach you at (.*)$/)
    a.send('too early')
    await said(a, /^nobody is here yet$/)

    const b = runInteractiveExample(second.laptop, 'chat/index.js', ...args, address)
    await said(a, /^direct connection after \d+ ms: \/ip4\/11\.2\.0\.1\//)
    await said(b, /^direct connection after \d+ ms: \/ip4\/11\.1\.0\.1\//)

    await says(a, 'hello', b)
    await says(b, 'hello yourself', a)

    await Promise.all([a.stop(), b.stop()])
    expect(await exitCodes(a, b)).to.deep.equal([0, 0])
  })
})

/**
 * What is typed is a line of JSON here, and arrives as it is
 */
async function says (from: Program, text: string, to: Program): Promise<void> {
  from.send(text)
  await said(to, new RegExp(`^\\w{6}: .*"${text}"`))
}

async function exitCodes (...programs: Program[]): Promise<number[]> {
  return Promise.all(programs.map(async program => (await program.happened(({ event }) => event === 'exit')).code))
}
