import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { PublicMapping } from '../../src/mapping/index.ts'
import { bindSocket } from '../../src/net/bound-socket.ts'
import { openClient } from '../../src/stun/open-client.ts'
import { parseSTUNURI } from '../../src/stun/uri.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { hasCoturn, startCoturn } from '../fixtures/coturn.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import type { MappingStatus } from '../../src/mapping/index.ts'
import type { Certificate } from '../fixtures/certificate.ts'
import type { Coturn } from '../fixtures/coturn.ts'

const HOST = '127.0.0.1'

describe('coturn', function () {
  this.timeout(120_000)

  let certificate: Certificate | undefined
  const running: Coturn[] = []

  before(function () {
    if (!hasCoturn()) {
      skipWithout(this, 'coturn', 'apt-get install coturn')
    }

    certificate = createCertificate()
  })

  afterEach(async () => {
    await Promise.all(running.splice(0).map(async coturn => coturn.stop()))
  })

  after(() => {
    certificate?.remove()
  })

  async function start (
    host: string,
    maxAllocateTimeout?: number,
    secureStun?: boolean
  ): Promise<Coturn & { certificate: Certificate }> {
    if (certificate == null) {
      throw new Error('No certificate')
    }

    const coturn = await startCoturn({ host, maxAllocateTimeout, secureStun, certificate })
    running.push(coturn)

    return { ...coturn, certificate }
  }

  it('gives the right address over TCP and TLS', async () => {
    const { port, tlsPort, certificate } = await start(HOST)

    for (const uri of [`stun:${HOST}:${port}`, `stuns:${HOST}:${tlsPort}`, `stuns:localhost:${tlsPort}`]) {
      const { client, result } = await openClient(parseSTUNURI(uri), {
        local: { host: HOST, port: 0 },
        tls: { ca: certificate.cert }
      })
      client.close()

      expect(result.mapped).to.deep.equal(result.local)
      expect(result.software).to.include('Coturn')
    }
  })

  it('says that a server which demands credentials is of no use', async () => {
    const { port } = await start(HOST, undefined, true)

    await expect(openClient(parseSTUNURI(`stun:${HOST}:${port}`), { local: { host: HOST, port: 0 } }))
      .to.eventually.be.rejectedWith(
        `STUN server ${HOST}:${port} answered 401 Unauthorized: it only serves users with a name and a ` +
          'password: use another server, or its stunCredential'
      )
      .with.property('code', 401)
  })

  it('is not trusted without its certificate', async () => {
    const { tlsPort } = await start(HOST)

    await expect(openClient(parseSTUNURI(`stuns:${HOST}:${tlsPort}`), { local: { host: HOST, port: 0 } }))
      .to.eventually.be.rejectedWith('not trusted: DEPTH_ZERO_SELF_SIGNED_CERT')
      .with.property('name', 'STUNCertificateError')
  })

  /**
   * Hold a mapping until so many connections had to be replaced
   */
  async function hold (stunServers: string[], renewals: number): Promise<{ seen: MappingStatus[], events: string[] }> {
    const server = net.createServer()
    const bound = bindSocket({ host: HOST, port: 0 })
    bound.listen(server)
    await pEvent(server, 'listening')

    const closed = new EventTarget()
    let count = 0
    const trace = (format: string): void => {
      // learned hold times are renewed ahead of
      if (/ended the connection|renewing the connection|is to replace/.test(format)) {
        count++

        if (count === renewals) {
          closed.dispatchEvent(new Event('enough'))
        }
      }
    }
    const log: any = Object.assign(() => {}, { error: () => {}, trace })
    const seen: MappingStatus[] = []
    const events: string[] = []
    const mapping = new PublicMapping({
      listener: multiaddr(`/ip4/${HOST}/tcp/${bound.port}`),
      stunServers,
      minReconnectInterval: 100,
      allowPrivateMapping: true,
      tls: { ca: certificate?.cert }
    }, { logger: { forComponent: () => log } })
    mapping.addEventListener('status', ({ detail }) => { seen.push(detail) })

    for (const name of ['mapped', 'changed', 'lost'] as const) {
      mapping.addEventListener(name, () => { events.push(name) })
    }

    try {
      const enough = pEvent(closed, 'enough', { timeout: 110_000 })
      await mapping.start({ signal: AbortSignal.timeout(10_000) })
      await enough
    } finally {
      await mapping.stop()
      server.close()
    }

    return { seen, events }
  }

  it('hangs up after a while, and the address stays: two servers', async () => {
    const a = await start('127.0.0.1', 2)
    const b = await start('127.0.0.2', 3)
    const { events, seen } = await hold([`stun:127.0.0.1:${a.port}`, `stun:127.0.0.2:${b.port}`], 6)

    expect(events).to.deep.equal(['mapped'])
    expect(seen.every(({ state }) => state === 'direct')).to.be.true()
  })

  it('hangs up after a while, and the address stays: one server, over TLS', async () => {
    const { tlsPort } = await start(HOST, 2)
    const { events, seen } = await hold([`stuns:127.0.0.1:${tlsPort}`], 3)

    expect(events).to.deep.equal(['mapped'])
    expect(seen.every(({ state }) => state === 'direct')).to.be.true()
  })

  it('hangs up after its default of 60 s, and the address stays', async () => {
    const { port } = await start(HOST)
    const { events } = await hold([`stun:127.0.0.1:${port}`], 1)

    expect(events).to.deep.equal(['mapped'])
  })
})
