import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'aegir/chai'
import { DEFAULT_STUN_SERVERS } from '../../src/index.ts'
import { laboratory } from '../fixtures/laboratory.ts'
import { writeNameFiles } from '../fixtures/name-files.ts'
import { startServer } from '../nat-lab/home.ts'
import type { Host, Lab, Program } from '../nat-lab/index.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const run = promisify(execFile)

/**
 * On a busy machine, in ms
 */
const PATIENCE = 60_000

/**
 * What a new user does, who has the README and nothing else: the commands and programs are
 * taken from it as they are. In place of npm's the packages are those of this tree, and the
 * names of the default STUN servers lead to two servers in the laboratory.
 */
describe('README.md, in an empty folder', function () {
  this.timeout(180_000)

  let readme: string
  let folder: string
  let tarballs: Record<string, string>
  let prepare: string

  const { create } = laboratory('each')

  before(async () => {
    readme = await readFile(`${ROOT}README.md`, 'utf8')
    folder = await mkdtemp(path.join(os.tmpdir(), 'readme-'))
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]
    await run('npm', [...pack, '-w', '.', '-w', 'tcp-stun'], { cwd: ROOT })
    tarballs = Object.fromEntries((await readdir(folder)).map(file =>
      [file.replace(/-\d.*/, ''), path.join(folder, file)]))
    const names = Object.fromEntries(DEFAULT_STUN_SERVERS.map((uri, i) =>
      [uri.replace('stun:', ''), `11.0.0.${1 + i % 2}`]))
    // no name server answers, and the system says so at once
    prepare = await writeNameFiles(folder, names, '127.0.0.1')
  })

  after(async () => { await rm(folder, { recursive: true, force: true }) })

  /**
   * The part of the page between a heading and the next one
   */
  function section (title: string): string {
    return readme.split(`\n# ${title}\n`)[1].split('\n# ')[0]
  }

  function codeBlocks (text: string, language: string): string[] {
    return [...text.matchAll(/```(\w+)\n([^]*?)```/g)].filter(([, name]) => name === language).map(([, , code]) => code)
  }

  /**
   * An empty folder in which the command of the page has been run
   */
  async function installed (name: string, text: string): Promise<string> {
    const [, names] = /^npm i (.*)$/m.exec(text) ?? []
    const cwd = path.join(folder, name)
    await mkdir(cwd)
    // a package that the command does not name, but needs, is one of this tree too
    const packages = [...names.split(' '), 'libp2p-tcp-stun'].map(name => tarballs[name] ?? name)
    await run('npm', ['i', '--prefer-offline', '--no-audit', '--no-fund', ...new Set(packages)], { cwd })

    return cwd
  }

  /**
   * Run a command of the page in a host, until the standard input ends
   */
  function start (host: Host, cwd: string, command: string): Program {
    return host.exec('bash', ['-c', `
      ${prepare}
      cd ${cwd}
      export PATH="${path.dirname(process.execPath)}:$PATH"
      # a process group of its own, since npx does not pass signals on
      set -m
      ${command} & pid=$!; cat > /dev/null; kill -- -$pid; wait $pid`])
  }

  async function prints (program: Program, pattern: RegExp): Promise<string> {
    const { text } = await program.happened(({ event, text }) => event === 'line' && pattern.test(text), PATIENCE)

    return pattern.exec(text)?.[1] ?? ''
  }

  async function startSTUNServers (lab: Lab): Promise<void> {
    for (const address of ['11.0.0.1', '11.0.0.2']) {
      await startServer(await lab.host(`stun${address.at(-1)}`, { address }), {})
    }
  }

  it('the quick start prints a public address, at which strangers can dial', async () => {
    const text = section('Quick start')
    const cwd = await installed('quick-start', section('Install'))
    await writeFile(path.join(cwd, 'node.mjs'), codeBlocks(text, 'ts')[0])
    const [, command] = /^\$ (node .*)$/m.exec(text) ?? []

    const lab = await create()
    await startSTUNServers(lab)
    const network = await lab.router('router', { address: '11.1.0.1', filtering: 'endpoint-independent' })
    const node = start(await lab.host('laptop', { address: '192.168.1.2', network }), cwd, command)
    const port = await prints(node, /^ {2}'\/ip4\/11\.1\.0\.1\/tcp\/(\d+)\/p2p\/12D3Koo\w+',$/)

    const stranger = (await lab.host('stranger', { address: '11.0.0.99' })).run('dialler')
    expect((await stranger.ask('probe', { host: '11.1.0.1', port: Number(port) })).failure).to.equal(undefined)
    await node.stop()
  })

  it('two homes find each other by a helper, and are connected directly', async () => {
    const text = section('Two homes, connected directly')
    const cwd = await installed('pair', text)
    await writeFile(path.join(cwd, 'pair.mjs'), codeBlocks(text, 'ts')[0])
    const [helperCommand] = codeBlocks(text, 'console')
    const [, command] = /^\$ (node \S+) /m.exec(text) ?? []

    const lab = await create()
    const server = await lab.host('server', { address: '11.0.0.9' })
    const helper = start(server, cwd, helperCommand.trim())
    const address = await prints(helper, /(\/ip4\/11\.0\.0\.9\/tcp\/4001\/p2p\/12D3Koo\w+)/)

    const homes = await Promise.all(['11.1.0.1', '11.2.0.1'].map(async (address, i) => {
      const network = await lab.router(`router${i}`, { address, filtering: 'address-and-port-dependent' })

      return lab.host(`laptop${i}`, { address: '192.168.1.2', network })
    }))
    const [a, b] = homes.map(home => start(home, cwd, `${command} ${address}`))

    await Promise.all([
      prints(a, /^direct \w+ \/ip4\/11\.2\.0\.1\//),
      prints(b, /^direct \w+ \/ip4\/11\.1\.0\.1\//)
    ])
    await Promise.all([a, b, helper].map(async program => program.stop()))
  })
})
