import { spawn } from 'node:child_process'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { bindHandle } from '../../src/net/bind-handle.ts'
import { bindBoundSocket } from '../../src/net/bind.ts'
import { bind, canSharePorts, portSharing } from '../../src/net/port-sharing.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import type { ListenerStatus } from './programs/listener-status.ts'
import type { Bind } from '../../src/net/bind.ts'

const PROGRAM = fileURLToPath(new URL('./programs/listener-status.js', import.meta.url))

/**
 * Deno's command. It is too large for a dependency: `npm i deno` elsewhere.
 */
const DENO = process.env.DENO ?? 'deno'

async function run (command: string, args: string[]): Promise<ListenerStatus> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', chunk => { output += chunk })
  const code = await pEvent<'close', number | null>(child, 'close', { timeout: 60_000 })
  expect(code).to.equal(0)

  return JSON.parse(output)
}

async function isInstalled (command: string): Promise<boolean> {
  const child = spawn(command, ['--version'], { stdio: 'ignore' })

  return pEvent(child, 'close').then(code => code === 0, () => false)
}

/**
 * A bind that passes on something else than it is asked for
 */
function changed (change: Partial<Parameters<Bind>[0]>): Bind {
  return address => bind({ ...address, ...change })
}

/**
 * A bind that fails from the given call on
 */
function failing (code: string, from: number): Bind {
  let calls = 0

  return address => {
    calls++

    if (calls >= from) {
      throw Object.assign(new Error(code), { code })
    }

    return bind(address)
  }
}

describe('port sharing', () => {
  before(function () {
    if (process.platform !== 'linux') {
      this.skip()
    }
  })

  it('is what Node does on Linux', () => {
    expect(portSharing()).to.equal(typeof net.BoundSocket === 'function' ? 'bound-socket' : 'handle')
    expect(canSharePorts(bindHandle)).to.be.true()

    if (typeof net.BoundSocket === 'function') {
      expect(canSharePorts(bindBoundSocket)).to.be.true()
    }
  })

  for (const { platform, faulty } of [
    { platform: 'ignores the option', faulty: changed({ reusePort: false }) },
    { platform: 'shares every port', faulty: changed({ reusePort: true }) },
    { platform: 'lets every bind succeed', faulty: changed({ port: 0 }) }
  ]) {
    it(`is not supported by a platform that ${platform}`, () => {
      expect(canSharePorts(faulty)).to.be.false()
    })
  }

  for (const code of ['ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOPROTOOPT']) {
    it(`is not supported when a bind fails with ${code}`, () => {
      expect(canSharePorts(failing(code, 1))).to.be.false()
      expect(canSharePorts(failing(code, 2))).to.be.false()
    })
  }

  for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'EACCES', 'EADDRNOTAVAIL']) {
    it(`is unknown when a bind fails with ${code}`, () => {
      for (const from of [1, 2, 3]) {
        expect(() => canSharePorts(failing(code, from))).to.throw().with.property('code', code)
      }
    })
  }

  for (const code of ['EADDRINUSE', 'EACCES', 'EPERM']) {
    for (const host of ['127.0.0.1', '::']) {
      it(`is found by the wanted port at ${host} when every other fails with ${code}`, () => {
        const { port, close } = bind({ host, port: 0, reusePort: false })
        close()
        const limited: Bind = address => {
          if (address.port !== port) {
            throw Object.assign(new Error(code), { code })
          }

          return bind(address)
        }

        expect(canSharePorts(limited, { host, port, ipv6Only: host === '::' })).to.be.true()
        expect(() => canSharePorts(limited, { host, port: 0 })).to.throw().with.property('code', code)
        expect(() => canSharePorts(limited)).to.throw().with.property('code', code)
      })
    }
  }

  it('is unknown when the system refuses to listen', () => {
    expect(() => canSharePorts(address => {
      const bound = bind(address)

      return { ...bound, listen: () => { bound.close() } }
    })).to.throw('refused to listen')
  })

  it('is found without IPv4', () => {
    expect(canSharePorts(address => {
      if (net.isIPv4(address.host)) {
        throw Object.assign(new Error('no IPv4'), { code: 'EAFNOSUPPORT' })
      }

      return bind(address)
    })).to.be.true()
  })

  it('is asked for again after all file descriptors were in use', async () => {
    const status = await run('bash', ['-c', 'ulimit -n 64 && exec "$0" "$1" exhausted', process.execPath, PROGRAM])

    expect(status).to.deep.equal({ errors: ['EMFILE', 'EMFILE', 'EMFILE'], sharing: portSharing(), state: 'mapped' })
  })

  it('is not supported by Deno, where a listener works without a mapping', async function () {
    if (!await isInstalled(DENO)) {
      return skipWithout(this, 'Deno', 'its command in the PATH, or in the environment variable DENO')
    }

    const status = await run(DENO, ['run', '--allow-all', '--node-modules-dir=manual', PROGRAM])

    expect(status).to.deep.equal({ errors: [], sharing: 'unsupported', state: 'unsupported' })
  })
})
