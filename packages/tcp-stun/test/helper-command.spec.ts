import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { LightPeer } from '../../../test/fixtures/light-peer.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'

const COMMAND = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'index.js')
const EVENT = { timeout: 30_000 }
const LISTEN = ['--listen', '127.0.0.1:0', '--stun-listen', '127.0.0.1:0']

describe('tcp-stun helper', () => {
  const children: ChildProcessWithoutNullStreams[] = []
  let folder: string

  beforeEach(async () => { folder = await mkdtemp(path.join(tmpdir(), 'tcp-stun-')) })
  afterEach(async () => {
    children.splice(0).forEach(child => child.kill('SIGKILL'))
    await rm(folder, { recursive: true })
  })

  interface Running {
    child: ChildProcessWithoutNullStreams
    lines: string[]
    until(name: string): Promise<any>
  }

  function run (args: string[], env: NodeJS.ProcessEnv = {}): Running {
    const child = spawn(process.execPath, [COMMAND, 'helper', ...args], { env: { ...process.env, ...env } })
    children.push(child)
    const lines: string[] = []
    const reader = createInterface({ input: child.stdout })
    reader.on('line', line => { lines.push(line) })
    const find = (name: string): any => lines
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line))
      .find(({ event }) => event === name)

    return {
      child,
      lines,
      until: async name => {
        await waitUntil(`the helper reports ${name}`, () => find(name), EVENT.timeout)

        return find(name)
      }
    }
  }

  async function portOf (helper: Running): Promise<number> {
    const { addresses } = await helper.until('listening')

    return Number(addresses[0].split('/')[4])
  }

  it('reads its flags from the environment and a file, and serves metrics', async () => {
    const config = path.join(folder, 'helper.json')
    await writeFile(config, JSON.stringify({ maxPeers: 77, metrics: '127.0.0.1:0' }))
    const helper = run(['--config', config], {
      TCP_STUN_LISTEN: '127.0.0.1:0',
      TCP_STUN_STUN_LISTEN: '127.0.0.1:0',
      TCP_STUN_JSON: 'true'
    })
    const { port } = await helper.until('metrics')
    expect(await helper.until('limits')).to.include({ peers: 77 })

    const health = await fetch(`http://127.0.0.1:${port}/health`)
    expect(health.status).to.equal(200)
    expect(await health.json()).to.include({ state: 'started', peers: 0, maxPeers: 77 })
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).to.include('tcp_stun_helper_max_peers 77')
    expect(metrics).to.include('tcp_stun_server_connections 0')
  })

  it('has the same identity again with --data', async () => {
    const ids: string[] = []

    for (let i = 0; i < 2; i++) {
      const helper = run([...LISTEN, '--data', path.join(folder, 'data'), '--json'])
      ids.push((await helper.until('listening')).id)
      const exited = pEvent<'exit', number>(helper.child as any, 'exit', EVENT)
      helper.child.kill('SIGTERM')
      expect(await exited).to.equal(0)
    }

    expect(ids[0]).to.equal(ids[1])
  })

  it('prints a node that works when it is pasted', async () => {
    const helper = run([...LISTEN, '--network-key', path.join(folder, 'network.key')])
    const isNode = (line: string): boolean => line.includes('const node =')
    await waitUntil('the node is printed', () => helper.lines.some(isNode), EVENT.timeout)
    const begin = helper.lines.indexOf('A node of this network') + 1
    const code = helper.lines.slice(begin).filter(line => line.startsWith('  ')).join('\n')
    const program = path.join(path.dirname(COMMAND), `pasted-${process.pid}.js`)
    // the package is not installed here
    await writeFile(program, code.replace("'tcp-stun/config'", "'../config/index.js'") + `
      await new Promise(resolve => { node.services.board.addEventListener('registered', resolve) })
      console.info('registered')
      await node.stop()`)

    try {
      // that a node on loopback has no public address
      const child = spawn(process.execPath, ['--no-warnings', program])
      children.push(child)
      let errors = ''
      child.stderr.on('data', chunk => { errors += String(chunk) })
      const code = await pEvent<'close', number>(child as any, 'close', EVENT)
      expect(errors).to.equal('')
      expect(code).to.equal(0)
    } finally {
      await rm(program)
    }
  })

  it('reads the list of its peers again at SIGHUP, and keeps it when it is invalid', async () => {
    const key = await generateKeyPair('Ed25519')
    const id = peerIdFromPrivateKey(key).toString()
    const allow = path.join(folder, 'members')
    await writeFile(allow, `${id}\n`)
    const helper = run([...LISTEN, '--allow', allow, '--json'])
    const peer = await LightPeer.connect({ host: '127.0.0.1', port: await portOf(helper), privateKey: key })

    await writeFile(allow, 'nonsense\n')
    helper.child.kill('SIGHUP')
    expect((await helper.until('allow-failed')).message).to.include('line 1: "nonsense"')
    expect(peer.isOpen).to.equal(true)

    await writeFile(allow, '')
    const closed = pEvent(peer, 'close', EVENT)
    helper.child.kill('SIGHUP')
    expect(await helper.until('allow-reloaded')).to.include({ peers: 0 })
    await closed
  })

  for (const { title, args, hint } of [
    { title: 'a list that is missing', args: ['--allow', '/does-not-exist'], hint: 'ENOENT' },
    { title: 'an invalid external address', args: ['--external-ip', 'example.org'], hint: '203.0.113.1' },
    { title: 'an invalid limit', args: ['--max-peers', '0'], hint: 'from 1 to 1000000' }
  ]) {
    it(`refuses ${title}`, async () => {
      const { child } = run([...LISTEN, ...args])
      let errors = ''
      child.stderr.on('data', chunk => { errors += String(chunk) })

      expect(await pEvent<'close', number>(child as any, 'close', EVENT)).to.equal(1)
      expect(errors).to.include(hint)
    })
  }
})
