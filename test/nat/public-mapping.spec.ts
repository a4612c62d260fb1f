import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'aegir/chai'
import { laboratory } from '../fixtures/laboratory.ts'
import { NAT_TIMEOUT, startServer } from '../nat-lab/home.ts'
import type { Endpoint } from '../../src/address/endpoint.ts'
import type { Host, Lab, Program, Router } from '../nat-lab/index.ts'

const EXAMPLES = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../examples/public-mapping')

/**
 * Stops the example by a signal when the standard input ends, as other programs of the
 * laboratory do
 */
const UNTIL_STDIN_ENDS = '"$@" & pid=$!; cat > /dev/null; kill $pid; wait $pid'

/**
 * Fetches a page and prints it
 */
const FETCH = 'console.log(await (await fetch(process.argv[1])).text())'

/**
 * Plays the game of `game.js` until somebody wins, and prints the last line
 */
const PLAY = `
import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'

const [host, port] = process.argv.slice(1)
const socket = net.connect({ host, port })
const lines = createInterface({ input: socket })
let low = 1
let high = 100
let number

for await (const line of lines) {
  if (/too low/.test(line)) {
    low = number + 1
  } else if (/too high/.test(line)) {
    high = number - 1
  } else if (/wins/.test(line)) {
    console.log(line)
    break
  }

  number = Math.floor((low + high) / 2)
  socket.write(number + '\\n')
}

socket.destroy()
`

describe('the examples of a public mapping', function () {
  this.timeout(90_000)

  const { create } = laboratory('each')

  interface Place {
    servers: Program[]
    router: Router
    laptop: Host
    stranger: Host
  }

  async function setUp (lab: Lab, { timeout, hangUp }: { timeout?: number, hangUp?: number } = {}): Promise<Place> {
    const servers: Program[] = []

    for (const address of ['11.0.0.1', '11.0.0.2', '11.0.0.3']) {
      servers.push(await startServer(await lab.host(`stun${servers.length}`, { address }), { hangUp }))
    }

    const stranger = await lab.host('stranger', { address: '11.0.0.99' })
    const router = await lab.router('router', {
      address: '11.1.0.1',
      filtering: 'endpoint-independent',
      ports: 'random',
      timeout
    })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network: router })

    return { servers, router, laptop, stranger }
  }

  function run ({ laptop, servers }: Place, example: string, args: string[] = []): Program {
    const stun = servers.flatMap((_, i) => ['--stun', `stun:11.0.0.${i + 1}`])

    return laptop.exec('sh', [
      '-c', UNTIL_STDIN_ENDS, example, process.execPath, path.join(EXAMPLES, example), ...args, ...stun
    ])
  }

  function script (host: Host, source: string, args: string[]): Program {
    return host.exec(process.execPath, ['--input-type=module', '-e', source, ...args])
  }

  async function said (example: Program, words: string): Promise<string> {
    return (await example.waitFor('line', ({ text }) => text.startsWith(words))).text.slice(words.length)
  }

  for (const { example, page } of [
    { example: 'http.js', page: '11.0.0.99' },
    { example: 'express.js', page: '"state":"mapped"' }
  ]) {
    it(`${example} is reached from outside at the address that it prints`, async () => {
      const place = await setUp(await create())
      const server = run(place, example)
      const url = await said(server, 'public address ')
      expect(new URL(url)).to.have.property('hostname', '11.1.0.1')
      const client = script(place.stranger, FETCH, [url])
      await client.happened(({ event }) => event === 'exit')

      expect(JSON.stringify(client.events[0])).to.include(page)
      await server.stop()
      expect(server.events.at(-1)).to.include({ event: 'exit', stderr: '' })
    })
  }

  it('game.js is played from outside', async () => {
    const place = await setUp(await create())
    const game = run(place, 'game.js')
    const { host, port } = toEndpoint(await said(game, 'public address '))
    expect(host).to.equal('11.1.0.1')
    const player = script(place.stranger, PLAY, [host, String(port)])

    expect(await said(player, 'player 1 wins')).to.include('Guess the next one')
  })

  it('game.js keeps its address through renewals and the stop of a server, and reports that of a reboot', async () => {
    const place = await setUp(await create(), { timeout: NAT_TIMEOUT, hangUp: 2_000 })
    const { servers, router } = place
    const dialler = place.stranger.run('dialler')
    const game = run(place, 'game.js', ['--keep-alive', '1', '--reconnect', '0.5'])
    const first = await said(game, 'public address ')
    await dialler.ask('aim', toEndpoint(first))

    for (let i = 0; i < 5; i++) {
      await servers[0].waitFor('binding')
    }

    await servers[0].stop()
    await said(game, 'stun:11.0.0.1 failed: ')
    const dials = dialler.events.findLast(({ event }) => event === 'progress')?.dials ?? 0
    await dialler.waitFor('progress', progress => progress.dials >= dials + 100)
    expect(await dialler.ask('cease')).to.include({ lost: 0 })
    expect(game.events.filter(({ text }) => /^(moved to|no public)/.test(text))).to.be.empty()

    await router.reboot()
    const next = await said(game, 'moved to ')
    expect(next).to.not.equal(first)
    expect((await dialler.ask('probe', toEndpoint(next))).failure).to.equal(undefined)
    expect((await dialler.ask('probe', toEndpoint(first))).failure).to.equal('timeout')
  })
})

function toEndpoint (text: string): Endpoint {
  const [host, port] = text.split(':')

  return { host, port: Number(port) }
}
