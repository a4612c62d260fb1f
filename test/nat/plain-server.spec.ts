import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { startServer, toEndpoint } from '../nat-lab/home.ts'
import type { Program } from '../nat-lab/index.ts'

const EXAMPLE = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../examples/plain-server/index.js')

/**
 * Stops the example by a signal when the standard input ends, as other programs of the
 * laboratory do
 */
const UNTIL_STDIN_ENDS = '"$@" & pid=$!; cat > /dev/null; kill $pid; wait $pid'

describe('the example of a plain server', function () {
  this.timeout(90_000)

  const { create } = laboratory('each')

  it('keeps its address through renewals and the stop of a server, and reports the next one after a reboot', async () => {
    const lab = await create()
    const servers: Program[] = []

    for (const address of ['11.0.0.1', '11.0.0.2', '11.0.0.3']) {
      servers.push(await startServer(await lab.host(`stun${servers.length}`, { address }), { hangUp: 2_000 }))
    }

    const stranger = (await lab.host('stranger', { address: '11.0.0.99' })).run('dialler')
    const router = await lab.router('router', {
      address: '11.1.0.1',
      filtering: 'endpoint-independent',
      ports: 'random',
      timeout: 3
    })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })
    const example = laptop.exec('sh', [
      '-c',
      UNTIL_STDIN_ENDS,
      'plain-server',
      process.execPath,
      EXAMPLE,
      '--keep-alive',
      '1',
      '--reconnect',
      '0.5',
      'stun:11.0.0.1',
      'stun:11.0.0.2',
      'stun:11.0.0.3'
    ])
    const said = async (words: string): Promise<string> =>
      (await example.waitFor('line', ({ text }) => text.startsWith(words))).text.slice(words.length)

    const first = await said('dialable at ')
    expect(toEndpoint(first).host).to.equal('11.1.0.1')
    await stranger.ask('aim', toEndpoint(first))

    for (let i = 0; i < 5; i++) {
      await servers[0].waitFor('binding')
    }

    await servers[0].stop()
    await said('stun:11.0.0.1 is no help: ')
    const dials = stranger.events.findLast(({ event }) => event === 'progress')?.dials ?? 0
    await stranger.waitFor('progress', progress => progress.dials >= dials + 100)
    expect(await stranger.ask('cease')).to.include({ lost: 0 })
    expect(example.events.filter(({ text }) => /^(moved to|not dialable)/.test(text))).to.be.empty()

    await router.reboot()
    const next = await said('moved to ')
    expect(next).to.not.equal(first)
    expect((await stranger.ask('probe', toEndpoint(next))).failure).to.equal(undefined)
    expect((await stranger.ask('probe', toEndpoint(first))).failure).to.equal('timeout')
  })
})
