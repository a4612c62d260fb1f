import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'aegir/chai'
import { DEFAULT_STUN_SERVERS } from '../../src/index.ts'
import { codeBlocks, trackedFiles } from '../fixtures/code-blocks.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { writeNameFiles } from '../fixtures/name-files.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import { startsServers } from '../nat/check-command.ts'
import { startServer } from '../nat-lab/home.ts'
import type { CodeBlock } from '../fixtures/code-blocks.ts'
import type { Program } from '../nat-lab/index.ts'

const DIST = fileURLToPath(new URL('../../', import.meta.url))
const PROGRAM = path.join(DIST, 'test/nat-lab/programs/code-blocks.js')
const SERVERS = ['11.0.0.1', '11.0.0.2']
const HELPER = '11.0.0.9'
const NAME_SERVER = '11.0.0.53'
const EXTERNAL = '11.1.0.1'

/**
 * What a block prints, or what its variables show
 */
interface Outcome {
  prints?: RegExp
  shows?: string
}

/**
 * A node whose listener has a public address
 */
const MAPPED: Outcome = { shows: `"state":"mapped","external":"/ip4/${EXTERNAL}/tcp/` }

/**
 * A node that is connected to the helper, whose id is in place of the word
 */
const HAS_HELPER: Outcome = { shows: '"peers":["HELPER"]' }

const RUN: Record<string, Outcome> = {
  'README.md: The node of an ordinary home': MAPPED,
  'docs/announcing.md: What your application can show': {
    prints: /^\/ip4\/0\.0\.0\.0\/tcp\/4001: mapped$/
  },
  'docs/board.md: The board': { shows: '"client":"object","server":"object"' },
  'docs/check.md: In a program': { prints: /^inconclusive \[/ },
  'docs/getting-started.md: 5. Show it to your users': MAPPED,
  'docs/hard-punch.md: Attestation': { shows: '"service":"function"' },
  'docs/helper.md: A node of the network': HAS_HELPER,
  'docs/hole-punching.md: Hole punching over TCP': MAPPED,
  'docs/public-mapping.md: A public address for any Node program': {
    prints: /^public address http:\/\/11\.1\.0\.1:\d+\/$/
  },
  'docs/upnp.md: UPnP, NAT-PMP and PCP beside it': MAPPED,
  'docs/upnp.md: NAT-PMP and PCP': { shows: '"portForward":"function"' },
  'docs/websockets.md: WebSockets on the same port': { shows: '/tcp/4001/ws' },
  'docs/websockets.md: A page of your own': { shows: '"transport":"function"' },
  'packages/tcp-stun/README.md: Use it in a program': { prints: /\/tcp\/4001\/p2p\/12D3Koo/ },
  'packages/tcp-stun/README.md: Use it in a program (2)': HAS_HELPER,
  'packages/tcp-stun/src/config/index.ts': HAS_HELPER,
  'packages/tcp-stun/src/config/index.ts (2)': HAS_HELPER,
  'packages/tcp-stun/src/index.ts': { prints: /^inconclusive$/ },
  'packages/tcp-stun/src/rendezvous/client/index.ts': HAS_HELPER,
  'packages/tcp-stun/src/rendezvous/index.ts': { prints: /^0$/ },
  'src/dcutr/attest/index.ts': { shows: '/tcp/4001' },
  'src/dcutr/index.ts': MAPPED,
  'src/index.ts': { prints: /^mapped$/ },
  'src/mapping/index.ts': { prints: /^public address 11\.1\.0\.1 \d+$/ },
  'src/multiaddr/index.ts': { prints: /^\/ip4\/203\.0\.113\.1\/tcp\/4001 \{ .* port: 4001, family: 4 \}$/ },
  'src/nat-status.ts': MAPPED,
  'src/net/index.ts': { shows: '"server":"object"' },
  'src/server/index.ts': { shows: '"server":"object"' },
  'src/stun/client.ts': { shows: '"mapped":"object"' },
  'src/stun/index.ts': { prints: /^\{ host: '11\.1\.0\.1', port: \d+ \}$/ }
}

/**
 * Blocks that another spec runs
 */
const ELSEWHERE: Record<string, string> = {
  // from packed tarballs
  'README.md: Quick start': 'test/packaging/readme.spec.ts',
  'README.md: Two homes, connected directly': 'test/packaging/readme.spec.ts',
  // in Chromium: the first as part of the second's page
  'docs/helper.md: In a browser': 'test/nat/browser-chat.spec.ts',
  'examples/browser/README.md: A chat between pages and a home': 'test/nat/browser-chat.spec.ts'
}

const BLOCKS = trackedFiles('*.md', ':!.github', 'src/*.ts', 'packages/*/src/*.ts')
  .flatMap(codeBlocks)
  .filter(({ language }) => ['js', 'ts'].includes(language))

describe('the code of the documentation', function () {
  this.timeout(60_000)

  let folder: string
  let program: Program
  let helperId: string

  const { serve } = startsServers()
  const { create } = laboratory('all')

  before(async () => {
    // below the package, so that its name leads to it
    folder = await mkdtemp(path.join(DIST, 'code-blocks-'))
    const lab = await create()

    for (const address of SERVERS) {
      await startServer(await lab.host(`stun${address.at(-1)}`, { address }), {})
    }

    const host = await lab.host('helper', { address: HELPER })
    helperId = (await serve(host, 'helper', '--stun-listen', `${HELPER}:3478`)).id

    const names = await lab.host('names', { address: NAME_SERVER })
    await names.run('txt-server', {
      host: NAME_SERVER,
      zone: { '_dnsaddr.helper.example.org': [`dnsaddr=/ip4/${HELPER}/tcp/4001/p2p/${helperId}`] }
    }).waitFor('listening')

    // in place of the servers that a user would have
    const defaults = DEFAULT_STUN_SERVERS.map(uri => uri.replace('stun:', ''))
    const servers = [...defaults, 'stun.example.org', 'stun.example.net']
    const prepare = await writeNameFiles(folder, {
      ...Object.fromEntries(servers.map((name, i) => [name, SERVERS[i % SERVERS.length]])),
      'helper.example.org': HELPER
    }, NAME_SERVER)
    const network = await lab.router('router', { address: EXTERNAL, filtering: 'endpoint-independent' })
    const laptop = await lab.host('laptop', { address: '192.168.1.2', network })
    program = laptop.exec('sh', ['-c', `${prepare} && exec "$@"`, 'code-blocks', process.execPath, PROGRAM], folder)
  })

  // ports are free for the next block, whatever became of this one
  afterEach(async () => { await program.ask('stop', {}, 'stopped') })
  after(async () => { await rm(folder, { recursive: true, force: true }) })

  it('is run, each block', () => {
    const names = BLOCKS.map(({ name }) => name)
    expect(names).to.have.members([...Object.keys(RUN), ...Object.keys(ELSEWHERE)])
    expect(Object.values(ELSEWHERE).filter(spec => !existsSync(spec))).to.deep.equal([])
  })

  it('of examples/browser is that of its page', () => {
    const [{ code }] = codeBlocks('examples/browser/README.md').filter(({ language }) => language === 'js')
    const trim = (text: string): string =>
      text.split('\n').map(line => line.trim()).filter(line => !line.startsWith('//')).join('\n')

    expect(trim(readFileSync('examples/browser/page.js', 'utf8'))).to.include(trim(code))
  })

  for (const block of BLOCKS.filter(({ name }) => RUN[name] != null)) {
    it(`works: ${block.name}`, async () => run(block))
  }

  async function run (block: CodeBlock): Promise<void> {
    const { prints, shows } = RUN[block.name]
    const before = program.events.length
    const file = path.join(folder, `${BLOCKS.indexOf(block)}.mts`)
    await writeFile(file, runnable(block))
    await program.ask('run', { file }, 'ran')

    if (prints != null) {
      const lines = (): string[] => program.events.slice(before).map(({ text }) => text ?? '')
      await waitUntil(`it prints ${prints}`, () => lines().some(line => prints.test(line)))
    }

    if (shows != null) {
      await program.ask('see', { text: shows.replace('HELPER', helperId) }, 'seen')
    }
  }

  /**
   * The block with real addresses in place of those that stand for any, and its variables
   * as exports
   */
  function runnable ({ code }: CodeBlock): string {
    const variables = [...code.matchAll(/^const (?:(\w+)|\{ ([\w, ]+) \}|\[([\w, ]+)\]) =/gm)]
      .flatMap(([, ...names]) => names.find(name => name != null) ?? [])

    return `${code
      .replace(/12D3Koo(?:\.\.\.|\w+)/g, helperId)
      .replaceAll('192.0.2.1', SERVERS[0])
    }\nexport { ${variables.join(', ')} }\n`
  }
})
