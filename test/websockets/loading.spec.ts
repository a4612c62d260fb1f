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

  it('is named by the error where it is not installed', async () => {
    const hook = 'export const resolve = (name, context, next) => ' +
      "{ if (name === 'ws') throw new Error('no such package'); return next(name, context) }"
    const without = `
      import { register } from 'node:module'
      register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)})
      const { tcpSTUN } = await import(${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)})
      const { multiaddr } = await import('@multiformats/multiaddr')
      const { defaultLogger } = await import('@libp2p/logger')
      const listener = tcpSTUN({ webSockets: true })({ logger: defaultLogger() }).createListener({ upgrader: {} })
      await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0')).catch(err => { console.log(err.name, err.message) })
    `
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', without],
      { cwd: fileURLToPath(new URL('../../../', import.meta.url)), timeout: 30_000 }
    )

    expect(stdout.trim()).to.equal(
      'InvalidParametersError The option webSockets needs the package ws: npm install ws (no such package)'
    )
  })
})
