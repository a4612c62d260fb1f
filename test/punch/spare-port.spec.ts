import { defaultLogger } from '@libp2p/logger'
import { expect } from 'aegir/chai'
import { openSparePorts } from '../../src/punch/spare-port.ts'
import { createSTUNServer } from '../../src/server/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { STUNServer } from '../../src/server/index.ts'

const LISTENING = { host: '0.0.0.0', port: 4001, family: 4 } as const
const log = defaultLogger().forComponent('test')

describe('spare port', () => {
  const { closeLater } = closesAfterEach()

  async function stunServer (): Promise<{ server: STUNServer, uri: string }> {
    const server = closeLater(createSTUNServer({ listen: [{ host: '127.0.0.1', port: 0 }] }))
    await server.listen()

    return { server, uri: `stun:127.0.0.1:${server.addresses[0].port}` }
  }

  it('has a public address, which is held until it is closed', async () => {
    const { server, uri } = await stunServer()
    const [port, ...others] = await openSparePorts([LISTENING], { stunServers: [uri], allowPrivateMapping: true }, {
      signal: AbortSignal.timeout(10_000),
      log
    })

    expect(others).to.be.empty()
    expect(port.local).to.include({ host: LISTENING.host, family: 4 })
    expect(port.local.port).to.not.equal(LISTENING.port)
    expect(port.external.toString()).to.equal(`/ip4/127.0.0.1/tcp/${port.local.port}`)
    expect(server.counters.connections).to.equal(1)

    port.close()
    await waitUntil('the connection to the server has ended', () => server.counters.connections === 0)
  })

  it('is asked of another server when one fails, and there is none when all do', async () => {
    const gone = await fakeServer(() => {})
    await gone.close()
    const { uri } = await stunServer()
    const failing = `stun:127.0.0.1:${gone.port}`
    const open = async (stunServers: string[]): Promise<number> => {
      const ports = await openSparePorts([LISTENING], { stunServers, allowPrivateMapping: true }, {
        signal: AbortSignal.timeout(10_000),
        log
      })
      ports.forEach(port => { port.close() })

      return ports.length
    }

    expect(await open([failing, uri])).to.equal(1)
    expect(await open([failing])).to.equal(0)
    expect(await open([])).to.equal(0)
  })

  it('is not looked for beside a port on loopback, nor for a public address that is private', async () => {
    const { uri } = await stunServer()
    const options = { signal: AbortSignal.timeout(10_000), log }
    const loopback = [{ ...LISTENING, host: '127.0.0.1' }]

    expect(await openSparePorts(loopback, { stunServers: [uri], allowPrivateMapping: true }, options)).to.be.empty()
    expect(await openSparePorts([LISTENING], { stunServers: [uri] }, options)).to.be.empty()
  })
})
