import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'aegir/chai'
import { resolveHost, systemDNS } from '../../src/runtime/dns.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'

const run = promisify(execFile)

/**
 * A network and a list of mounts of its own, as root of a user namespace
 */
const UNSHARE = ['--map-root-user', '--net', '--mount']

describe('DNS', () => {
  for (const [name, family, addresses] of [
    ['1.2.3.4', 4, ['1.2.3.4']],
    ['2001:db8::1', 6, ['2001:db8::1']],
    ['localhost', 4, ['127.0.0.1']],
    ['LocalHost.', 4, ['127.0.0.1']],
    ['localhost', 6, ['::1']],
    ['anything.localhost', 4, ['127.0.0.1']]
  ] as const) {
    it(`knows the IPv${family} address of ${name} without asking`, async () => {
      expect(await systemDNS.lookup(name, family)).to.include.members([...addresses])
    })
  }

  it('has no address of another IP version', async () => {
    await expect(systemDNS.lookup('1.2.3.4', 6)).to.eventually.be.rejected().with.property('code', 'ENOTFOUND')
    await expect(resolveHost('::1', 4)).to.eventually.be.rejected().with.property('code', 'ENOTFOUND')
  })

  it('resolves a host to the addresses of one IP version, or of both', async () => {
    expect(await resolveHost('127.0.0.1', 0)).to.deep.equal([{ address: '127.0.0.1', family: 4 }])
    expect(await resolveHost('::1', 0)).to.deep.equal([{ address: '::1', family: 6 }])
    expect(await resolveHost('localhost', 0)).to.deep.include.members([
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 }
    ])
    expect((await resolveHost('localhost', 6)).map(({ family }) => family)).to.include(6).and.not.include(4)
  })

  it('asks nobody for a caller that has given up', async () => {
    await expect(systemDNS.lookup('stun.example', 4, { signal: AbortSignal.abort() }))
      .to.eventually.be.rejected()
      .with.property('name', 'AbortError')
    await expect(systemDNS.resolveSrv('stun.example', { signal: AbortSignal.abort() }))
      .to.eventually.be.rejected()
      .with.property('name', 'AbortError')
  })

  it('holds up nothing when the DNS servers are silent, and ends with its signal', async function () {
    if (process.platform !== 'linux' || spawnSync('unshare', [...UNSHARE, 'ip', 'link', 'show', 'lo']).status !== 0) {
      skipWithout(this, 'a silent DNS server', 'unshare and ip, and permission to create namespaces')
    }

    const servers = ['127.0.0.53', '127.0.0.54']
    const folder = await mkdtemp(path.join(os.tmpdir(), 'dns-'))
    const config = path.join(folder, 'resolv.conf')
    const program = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'silent-resolver.js')

    try {
      await writeFile(config, servers.map(server => `nameserver ${server}\n`).join(''))
      const script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
      const { stdout } = await run(
        'unshare',
        [...UNSHARE, 'sh', '-c', script, 'sh', config, process.execPath, program, ...servers],
        { timeout: 50_000 }
      )
      const ended = Date.now()
      const { address, localhost, stop, stopped, errors } = JSON.parse(stdout)

      expect(address).to.equal('127.0.0.1')
      expect(localhost, 'a lookup elsewhere in the process').to.be.lessThan(1_000)
      expect(stop).to.be.lessThan(1_000)
      expect(errors.every((name: unknown) => typeof name === 'string')).to.equal(true)
      // libp2p's address manager has a debounce of 1 s that it does not cancel
      expect(ended - stopped, 'the process ends').to.be.lessThan(2_000)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
