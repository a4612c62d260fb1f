import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'aegir/chai'

/**
 * Listens in a process of its own, and tells which of the packages for WebSockets were
 * loaded
 */
const program = (init: string): string => `
  import { createRequire } from 'node:module'
  import { defaultLogger } from '@libp2p/logger'
  import { multiaddr } from '@multiformats/multiaddr'
  import { tcpSTUN } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)}

  const transport = tcpSTUN(${init})({ logger: defaultLogger() })
  const listener = transport.createListener({ upgrader: { upgradeInbound: async () => {} } })
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
  await listener.close()
  const { cache } = createRequire(import.meta.url)
  console.log(Object.keys(cache).some(file => /node_modules.ws.lib/.test(file)))
`

describe('the package ws', () => {
  for (const { init, loaded } of [
    { init: '{}', loaded: false },
    { init: '{ webSockets: false }', loaded: false },
    { init: '{ webSockets: true }', loaded: true }
  ]) {
    it(`is ${loaded ? '' : 'not '}loaded by a listener with ${init}`, async () => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '--eval', program(init)],
        { cwd: fileURLToPath(new URL('../../../', import.meta.url)), timeout: 30_000 }
      )

      expect(stdout.trim()).to.equal(String(loaded))
    })
  }
})
