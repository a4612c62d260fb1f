import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from 'libp2p-tcp-stun'
import { pEvent } from 'p-event'
import { createCertificate } from '../../../test/fixtures/certificate.ts'
import { rawClient } from '../../../test/fixtures/raw-client.ts'
import { failure, fakeServer, mapped, mapsTo, stunServer, success } from '../../../test/fixtures/stun-servers.ts'
import type { Attribute } from '../../../src/stun/attributes.ts'
import type { FakeServer } from '../../../test/fixtures/stun-servers.ts'
import type net from 'node:net'

const EVENT = { timeout: 30_000 }
const PACKAGE = new URL('../../../../packages/tcp-stun/package.json', import.meta.url)
const COMMAND = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'src', 'cli', 'index.js')

type StartServers = (...ports: number[]) => Promise<string[]>

/**
 * A server that answers after some ms
 */
type StartLateServer = (ms: number) => Promise<string[]>

/**
 * Stages at which a check can be interrupted. Each lasts until the silent server
 * is contacted, or until the output says that it has begun.
 */
const STAGES: Array<{
  stage: string
  until?: RegExp
  args(silent: FakeServer, servers: StartServers, later: StartLateServer): Promise<string[]>
}> = [
  {
    stage: 'while a server is asked',
    args: async silent => ['--server', silent.uri]
  },
  {
    stage: 'while one of two servers is asked',
    until: /11\.0\.0\.1:4001/,
    args: async (silent, servers) => ['--server', silent.uri, ...(await servers(4001))]
  },
  {
    // nothing answers at the address that the server reports, for two of its round trips
    stage: 'while it dials its own public address',
    until: /11\.0\.0\.1:4001/,
    args: async (silent, servers, later) => later(1_000)
  },
  {
    stage: 'while a peer is asked to dial back',
    args: async (silent, servers) => ['--peer', `/ip4/127.0.0.1/tcp/${silent.port}`, ...(await servers(4001))]
  }
]

describe('tcp-stun', () => {
  const closing: Array<() => unknown> = []

  afterEach(async () => {
    await Promise.all(closing.splice(0).reverse().map(async close => { await close() }))
  })

  async function run (...args: string[]): Promise<{ code: number, stdout: string, stderr: string, events: any[] }> {
    const child = spawn(process.execPath, [COMMAND, ...args])
    const output = { stdout: '', stderr: '' }
    child.stdout.on('data', chunk => { output.stdout += String(chunk) })
    child.stderr.on('data', chunk => { output.stderr += String(chunk) })
    const code = await pEvent<'close', number>(child as any, 'close', EVENT)

    return {
      code,
      ...output,
      events: output.stdout
        .split('\n')
        .filter(line => line.startsWith('{'))
        .map(line => JSON.parse(line))
    }
  }

  async function servers (...ports: number[]): Promise<string[]> {
    const started = await Promise.all(ports.map(async port => mapsTo('11.0.0.1', port)))
    closing.push(...started.map(server => async () => server.close()))

    return started.flatMap(({ uri }) => ['--server', uri])
  }

  async function later (ms: number): Promise<string[]> {
    const server = await stunServer((request, socket) => {
      setTimeout(() => { socket.write(success(request, mapped('11.0.0.1', 4001))) }, ms)
      return undefined
    })
    closing.push(async () => server.close())

    return ['--server', server.uri]
  }

  it('server: serves, and stops at a signal', async () => {
    const child = spawn(process.execPath, [COMMAND, 'server', '--listen', '127.0.0.1:0', '--json'])
    closing.push(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })
    const first = JSON.parse(await pEvent<'line', string>(lines as any, 'line', EVENT))
    expect(first).to.include({ event: 'listening', host: '127.0.0.1', transport: 'tcp' })

    const check = await run('check', '--server', `stun:127.0.0.1:${first.port}`, '--allow-private', '--json')
    expect(check.code).to.equal(5)
    expect(check.events.at(-1)).to.include({ event: 'verdict', verdict: 'inconclusive' })
    expect(check.events.at(-1).families[0]).to.include({ nat: false, portPreserved: true })

    const exited = pEvent<'exit', number>(child as any, 'exit', EVENT)
    child.kill('SIGTERM')
    expect(await exited).to.equal(0)
  })

  it('server: reads its certificate again at SIGHUP, drains at SIGTERM, and says what it does', async () => {
    const certificate = createCertificate()
    closing.push(() => { certificate.remove() })
    const child = spawn(process.execPath, [
      COMMAND,
      'server',
      '--listen',
      '127.0.0.1:0',
      '--tls-cert',
      certificate.certFile,
      '--tls-key',
      certificate.keyFile,
      '--tls-listen',
      '127.0.0.1:0',
      '--metrics',
      '0',
      '--workers',
      '1',
      '--drain-deadline',
      '60000',
      '--json'
    ])
    closing.push(() => child.kill('SIGKILL'))
    const events: any[] = []
    const lines = createInterface({ input: child.stdout })
    lines.on('line', line => { events.push(JSON.parse(line)) })
    const until = async (name: string): Promise<any> => {
      while (!events.some(({ event }) => event === name)) {
        await pEvent(lines as any, 'line', EVENT)
      }

      return events.find(({ event }) => event === name)
    }

    const { port } = await until('metrics')
    expect(await (await fetch(`http://127.0.0.1:${port}/health`)).json()).to.include({ state: 'listening', workers: 1 })

    child.kill('SIGHUP')
    await until('tls-reloaded')
    writeFileSync(certificate.certFile, 'nonsense')
    child.kill('SIGHUP')
    expect(await until('tls-failed')).to.have.property('level', 'error')

    const client = await rawClient(events.find(({ transport }) => transport === 'tcp'))
    await client.ask()
    const exited = pEvent<'exit', number>(child as any, 'exit', EVENT)
    child.kill('SIGTERM')
    await until('stopping')
    client.close()
    expect(await exited).to.equal(0)
    expect(events.map(({ event }) => event)).to.deep.equal([
      'worker-start',
      'listening',
      'listening',
      'metrics',
      'tls-reloaded',
      'tls-failed',
      'stopping'
    ])
  })

  it('server: goes on when the reader of its log goes away', async () => {
    const child = spawn(process.execPath, [
      COMMAND,
      'server',
      '--listen',
      '127.0.0.1:0',
      '--json',
      '--log-level',
      'debug'
    ])
    closing.push(() => child.kill('SIGKILL'))
    let stderr = ''
    child.stderr.on('data', chunk => { stderr += String(chunk) })
    const [line] = String(await pEvent(child.stdout, 'data', EVENT)).split('\n')
    child.stdout.destroy()
    await pEvent(child.stdout, 'close', EVENT)

    // each of them writes to the log
    for (let i = 0; i < 2; i++) {
      const client = await rawClient(JSON.parse(line))
      await client.ask()
      client.close()
    }

    const exited = pEvent<'exit', number>(child as any, 'exit', EVENT)
    child.kill('SIGTERM')
    expect(await exited).to.equal(0)
    expect(stderr).to.equal('')
  })

  it('check: one public address', async () => {
    const { code, stdout } = await run('check', ...await servers(4001, 4001))
    expect(code).to.equal(5)
    expect(stdout).to.include('sees 11.0.0.1:4001')
    expect(stdout).to.include('Public address found, not tested from outside: 11.0.0.1:4001')
    expect(stdout).to.include('--helper')

    const { events } = await run('check', '--json', ...await servers(4001, 4001))
    expect(events.at(-1)).to.include({
      event: 'verdict',
      verdict: 'inconclusive',
      because: 'not-asked',
      external: '11.0.0.1:4001',
      exitCode: 5
    })
    // both are at 127.0.0.1
    expect(events.at(-1).families[0]).to.include({ mapping: 'unknown', portPreserved: false, nat: true })
  })

  it('check: another port for every server', async () => {
    const { code, stdout } = await run('check', ...await servers(4001, 4002, 4003))

    expect(code).to.equal(2)
    expect(stdout).to.include('Reachable through a relay only')
    expect(stdout).to.include('sees 11.0.0.1:4002')
    expect(stdout).to.include('changes with every destination (symmetric NAT)')
    expect(stdout).to.include('no stable address to test')
  })

  it('check: a gateway rewrites the payload', async () => {
    const plain = (port: number): Attribute => ({ type: 'MAPPED-ADDRESS', address: { host: '11.0.0.1', port } })
    const gateway = await stunServer(() => [...mapped('11.0.0.1', 4001), plain(1)])
    const none = await stunServer(() => [...mapped('11.0.0.1', 4001), plain(4001)])
    closing.push(async () => gateway.close(), async () => none.close())

    for (const { server, rewriting } of [{ server: gateway, rewriting: 'yes' }, { server: none, rewriting: 'no' }]) {
      const { events } = await run('check', '--json', '--server', server.uri)
      expect(events.at(-1).families[0]).to.include({ rewriting })
    }
  })

  it('check: nobody there', async () => {
    const server = await fakeServer(() => {})
    await server.close()
    const { code, stdout } = await run('check', '--server', server.uri)

    expect(code).to.equal(3)
    expect(stdout).to.include('ECONNREFUSED')
    expect(stdout).to.include('No STUN server answered')
  })

  it('check: no server of the IP version', async () => {
    const { code, events } = await run('check', '-6', '--json', '--server', 'stun:127.0.0.1')

    expect(code).to.equal(3)
    expect(events.at(-1)).to.include({ verdict: 'no-address' })
  })

  it('check: gives up a silent server in the time it is given', async () => {
    const server = await fakeServer(() => {})
    closing.push(async () => server.close())
    const { code, events } = await run('check', '--server', server.uri, '--timeout', '100', '--json')

    expect(code).to.equal(3)
    expect(events.at(-1).families[0].failures[0]).to.include({ name: 'STUNTimeoutError' })
  })

  it('check: holds the connections, and tells which end', async () => {
    const brief = await stunServer((request, socket) => {
      setTimeout(() => { socket.end() }, 50)
      return mapped('11.0.0.1', 4001)
    })
    closing.push(async () => brief.close())
    const { code, events } = await run('check', '--hold', '1', '--json', '--server', brief.uri, ...await servers(4001))

    expect(code).to.equal(5)
    expect(events.filter(({ event }) => event === 'ended')).to.have.lengthOf(1)
    const { held } = events.at(-1).families[0]
    expect(held).to.have.lengthOf(2)
    expect(held.filter(({ ended }: any) => ended == null)).to.have.lengthOf(1)
  })

  it('check: names a NAT64', async () => {
    const server = await stunServer(() => mapped('11.0.0.1', 4001), '::1')
    closing.push(async () => server.close())
    const { code, stdout } = await run('check', '--server', server.uri)

    expect(code).to.equal(3)
    expect(stdout).to.match(/NAT64 +yes: .*through a NAT64/)
    expect(stdout).to.include('Only a NAT64 address was found')
  })

  it('check: names a server that wants credentials', async () => {
    const server = await stunServer(request => failure(request, 401, 'Unauthorized'))
    closing.push(async () => server.close())
    const { code, stdout } = await run('check', '--server', server.uri)

    expect(code).to.equal(3)
    expect(stdout.replace(/\s+/g, ' ')).to.include('401 Unauthorized: it only serves users with a name and a password')
    expect(stdout).to.include('The STUN servers refused to answer')
    expect(stdout).to.not.include('firewall')
  })

  it('check: names what answers in place of a STUN server', async () => {
    const server = await fakeServer(socket => { socket.write('SSH-2.0-OpenSSH_9.6\r\n') })
    closing.push(async () => server.close())
    const { code, stdout } = await run('check', '--server', server.uri)

    expect(code).to.equal(3)
    expect(stdout.replace(/\s+/g, ' ')).to.include('does not speak STUN: it is an SSH server')
    expect(stdout).to.include('No STUN server gave a usable answer')
    expect(stdout).to.not.include('firewall')
  })

  it('check: says once that the DNS fails', async () => {
    const names = ['a', 'b', 'c'].flatMap(name => ['--server', `stun:${name}.invalid`])
    const { code, stdout } = await run('check', ...names)

    expect(code).to.equal(3)
    expect(stdout.match(/Failed/g)).to.have.lengthOf(1)
    expect(stdout).to.include('the names of 3 servers')
    // for both IP versions
    expect(stdout.match(/No server name could be resolved/g)).to.have.lengthOf(1)
    expect(stdout.match(/a\.invalid/g)).to.have.lengthOf(1)
  })

  it('check: names the port that it has tested, and says how to test that of a node', async () => {
    const { stdout } = await run('check', ...await servers(4001))
    const [, port] = /^IPv4, from local port (\d+)$/m.exec(stdout) ?? []

    expect(stdout.replace(/\s+/g, ' ')).to.include(`This was about local port ${port}, chosen by the system.`)
    expect(stdout).to.match(/^ {3}tcp-stun check --port 4001 -s stun:127/m)
    expect(stdout).to.match(/^ {3}tcp-stun check --node \/ip4\/127\.0\.0\.1\/tcp\/4001$/m)
  })

  it('check: says whose a port in use is, and what to do', async () => {
    const taken = await fakeServer(() => {})
    closing.push(async () => taken.close())
    const { port } = taken
    const { code, stdout, stderr } = await run('check', '--port', `${port}`, ...await servers(4001))

    expect(code).to.equal(1)
    expect(stdout).to.equal('')
    expect(stderr).to.match(new RegExp(`port ${port} is in use by the process ${process.pid} of the user \\w+ `))
    expect(stderr).to.include(`tcp-stun check --node /ip4/127.0.0.1/tcp/${port}`)
  })

  it('check: shows what the running node on a port in use announces', async () => {
    const node = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'], appendAnnounce: ['/ip4/11.1.0.1/tcp/4001'] },
      transports: [tcpSTUN({ stunServers: [] })],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify() }
    })
    closing.push(async () => node.stop())
    const [address] = node.getMultiaddrs()
    const [, port] = /\/tcp\/(\d+)/.exec(address.toString()) ?? []
    const inUse = await run('check', '--port', `${port}`, ...await servers(4001))

    expect(inUse.code).to.equal(1)
    expect(inUse.stdout).to.match(/Announces +\/ip4\/11\.1\.0\.1\/tcp\/4001\n/)
    expect(inUse.stdout).to.include('The node announces a public address')
    expect(inUse.stderr).to.include(`port ${port} is in use`)

    const asked = await run('check', '--node', address.toString(), '--json')
    expect(asked.code).to.equal(0)
    expect(asked.events).to.have.lengthOf(1)
    expect(asked.events[0]).to.include({ event: 'node', verdict: 'anyone', id: node.peerId.toString() })
    expect(asked.events[0].announced).to.deep.equal(['/ip4/11.1.0.1/tcp/4001'])
  })

  it('check: says when there is no node', async () => {
    const server = await fakeServer(socket => { socket.destroy() })
    closing.push(async () => server.close())
    const { code, stderr } = await run('check', '--node', `/ip4/127.0.0.1/tcp/${server.port}`)

    expect(code).to.equal(1)
    expect(stderr).to.include('Is it a running libp2p node')
  })

  it('check: fits into a narrow terminal', async () => {
    const { stdout } = await run('check', ...await servers(4001))
    process.env.COLUMNS = '40'
    closing.push(() => { delete process.env.COLUMNS })
    const narrow = (await run('check', ...await servers(4001))).stdout
    const lines = narrow.split('\n').filter(line => !line.includes('tcp-stun check'))

    expect(Math.max(...lines.map(line => line.length))).to.be.at.most(40)
    expect(Math.max(...stdout.split('\n').map(line => line.length))).to.be.greaterThan(40)
    expect(narrow).to.match(/^ {2}Server\n {4}stun:/m)
  })

  it('has a version', async () => {
    const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8'))
    const { code, stdout } = await run('--version')

    expect(code).to.equal(0)
    expect(stdout).to.equal(`${version}\n`)
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    for (const { stage, args, until } of signal === 'SIGINT' ? STAGES : STAGES.slice(0, 1)) {
      for (const json of [true, false]) {
        it(`check: ${signal} ${stage} ends it, ${json ? 'as JSON' : 'as text'}`, async () => {
          const reached = Promise.withResolvers<void>()
          const silent = await fakeServer(() => { reached.resolve() })
          closing.push(async () => silent.close())
          const child = spawn(process.execPath, [
            COMMAND,
            'check',
            ...(await args(silent, servers, later)),
            ...(json ? ['--json'] : [])
          ])
          closing.push(() => child.kill('SIGKILL'))
          const output = { stdout: '', stderr: '' }
          child.stderr.on('data', chunk => { output.stderr += String(chunk) })
          child.stdout.on('data', chunk => {
            output.stdout += String(chunk)

            if (until?.test(output.stdout) === true) {
              reached.resolve()
            }
          })
          const closed = pEvent<'close', number>(child as any, 'close', EVENT)
          await reached.promise
          child.kill(signal)

          expect(await closed).to.equal(130)
          expect(output.stderr).to.equal('')
          expect(output.stdout).to.not.match(/Failed|"failure"|in time|Hairpin|From outside|"verdict"/)
          expect(output.stdout).to.match(json ? /\{"event":"interrupted","exitCode":130\}\n$/ : /\nInterrupted\n$/)
        })
      }
    }
  }

  it('check: a signal while it holds ends that, with the verdict', async () => {
    const child = spawn(process.execPath, [COMMAND, 'check', '--hold', '1000', '--json', ...await servers(4001)])
    closing.push(() => child.kill('SIGKILL'))
    const events: any[] = []
    createInterface({ input: child.stdout }).on('line', line => {
      events.push(JSON.parse(line))

      if (events.at(-1).event === 'hold') {
        child.kill('SIGINT')
      }
    })

    expect(await pEvent<'close', number>(child as any, 'close', EVENT)).to.equal(5)
    expect(events.at(-1)).to.include({ event: 'verdict', verdict: 'inconclusive' })
  })

  for (const args of [['check'], ['check', '--json']]) {
    it(`${args.join(' ')}: says that its output cannot be written`, async function () {
      if (process.platform !== 'linux') {
        return this.skip()
      }

      const full = await open('/dev/full', 'w')
      closing.push(async () => full.close())
      const child = spawn(process.execPath, [COMMAND, ...args, ...await servers(4001)], {
        stdio: ['ignore', full.fd, 'pipe']
      })
      let stderr = ''
      child.stderr?.on('data', chunk => { stderr += String(chunk) })

      expect(await pEvent<'close', number>(child as any, 'close', EVENT)).to.equal(1)
      expect(stderr).to.match(/^tcp-stun: could not write the output: ENOSPC.*\n$/)
    })

    it(`${args.join(' ')}: ends quietly when its reader goes away`, async () => {
      const reached = Promise.withResolvers<net.Socket>()
      const slow = await fakeServer(socket => { reached.resolve(socket) })
      closing.push(async () => slow.close())
      const child = spawn(process.execPath, [COMMAND, ...args, '--server', slow.uri])
      closing.push(() => child.kill('SIGKILL'))
      let stderr = ''
      child.stderr.on('data', chunk => { stderr += String(chunk) })
      const closed = pEvent<'exit', number>(child as any, 'exit', EVENT)
      const socket = await reached.promise
      child.stdout.destroy()
      await pEvent(child.stdout, 'close', EVENT)
      socket.resetAndDestroy()

      expect(await closed).to.be.oneOf([3, 141])
      expect(stderr).to.equal('')
    })
  }

  it('check: prints no colours and no progress except on a terminal', async () => {
    const { stdout, stderr } = await run('check', ...await servers(4001))

    expect(`${stdout}${stderr}`).to.not.include('\u001b')
  })

  it('helper: serves STUN, has the same key again, and stops at a signal', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tcp-stun-'))
    closing.push(async () => rm(folder, { recursive: true }))
    const ids: string[] = []

    for (let i = 0; i < 2; i++) {
      const child = spawn(process.execPath, [
        COMMAND,
        'helper',
        '--listen',
        '127.0.0.1:0',
        '--stun-listen',
        '127.0.0.1:0',
        '--key',
        path.join(folder, 'key'),
        '--json'
      ])
      closing.push(() => child.kill('SIGKILL'))
      const events: any[] = []
      const lines = createInterface({ input: child.stdout })
      lines.on('line', line => { events.push(JSON.parse(line)) })
      await pEvent<'line', string>(lines as any, 'line', { ...EVENT, filter: line => line.includes('"listening"') })
      const [stun, listening] = events
      ids.push(listening.id)
      expect((await run('check', '--server', `stun:127.0.0.1:${stun.port}`, '--allow-private')).code).to.equal(5)

      const exited = pEvent<'exit', number>(child as any, 'exit', EVENT)
      child.kill('SIGTERM')
      expect(await exited).to.equal(0)
    }

    expect(ids[0]).to.equal(ids[1])
  })

  for (const { args, hint } of [
    { args: ['check', '--server', 'http://example.org'], hint: 'stun:example.org' },
    { args: ['check', '--port', '70000'], hint: '0 to 65535' },
    { args: ['check', '--hold', 'long'], hint: 'whole number' },
    { args: ['check', '--nonsense'], hint: '--nonsense' },
    { args: ['check', '--timeout', '0'], hint: 'from 1' },
    { args: ['check', '--helper', 'example.org'], hint: 'helper.example.org:4001' },
    { args: ['check', '--helper', '/ip4/11.0.0.1/tcp/1'], hint: '--peer' },
    { args: ['check', '--peer', '11.0.0.1:4001'], hint: '/ip4/' },
    { args: ['check', '--peer', '/ip4/11.0.0.1/udp/4001/quic-v1'], hint: 'multiaddr of a TCP port' },
    { args: ['check', '--peer', '/dnsaddr/'], hint: '/dnsaddr/bootstrap.libp2p.io' },
    { args: ['check', '--node', '11.0.0.1:4001'], hint: 'multiaddr of a TCP port' },
    { args: ['check', '--forwarded-port', '4001', '-s', 'stun:127.0.0.1'], hint: '--helper' },
    { args: ['check', '--forwarded-port', '0'], hint: 'from 1' },
    { args: ['helper', '--listen', 'example.org'], hint: '0.0.0.0:3478' },
    { args: ['helper', '--max-peers', '-1'], hint: '--max-peers' },
    { args: ['server', '--listen', 'example.org:3478'], hint: '0.0.0.0:3478' },
    { args: ['server', '--listen', '127.0.0.1:99999'], hint: '0.0.0.0:3478' },
    { args: ['server', '--tls-cert', 'cert.pem'], hint: '--tls-key' },
    { args: ['server', '--max-connections', '0'], hint: 'from 1' },
    { args: ['server', '--listen', 'nonsense'], hint: '0.0.0.0:3478' },
    {
      args: ['server', '--listen', '0.0.0.0:3478', '--other-port', '3478'],
      hint: '--other-port 3478 is also the port of --listen'
    },
    { args: ['server', '--trusted-proxy', '10.0.0.0/40'], hint: '10.0.0.0/8' },
    { args: ['server', '--alternate-server', '0.0.0.0:3478'], hint: 'can connect to' },
    { args: ['server', '--workers', 'many'], hint: 'whole number' },
    { args: ['server', '--metrics', 'nonsense'], hint: '0.0.0.0:3478' },
    { args: ['server', '--log-level', 'loud'], hint: 'error, info, debug' },
    { args: ['server', '--software', 'x'.repeat(128)], hint: '128 characters' },
    { args: ['server', '--tls-cert', 'none.pem', '--tls-key', 'none.pem'], hint: 'none.pem' },
    { args: ['nonsense'], hint: 'nonsense' }
  ]) {
    it(`says what is wrong with ${args.join(' ')}`, async () => {
      const { code, stderr } = await run(...args)

      expect(code).to.equal(1)
      expect(stderr).to.include(hint)
      expect(stderr).to.not.include('    at ')
    })
  }

  it('has help', async () => {
    for (const args of [['--help'], ['server', '--help'], ['check', '--help'], ['helper', '--help']]) {
      const { code, stdout } = await run(...args)

      expect(code).to.equal(0)
      expect(stdout).to.include('Usage: tcp-stun')
    }
  })

  it('says when a port is taken', async () => {
    const server = await fakeServer(() => {})
    closing.push(async () => server.close())
    const { code, stderr } = await run('server', '--listen', `127.0.0.1:${server.port}`)

    expect(code).to.equal(1)
    expect(stderr).to.include('EADDRINUSE')
  })
})
