import tls from 'node:tls'
import { expect } from 'aegir/chai'
import { pEvent } from 'p-event'
import { onLoopback } from '../../../test/fixtures/on-loopback.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { createSTUNServer } from '../src/server/index.ts'
import type { Endpoint } from '../../../src/address/endpoint.ts'

const EVENT = { timeout: 10_000 }
const HOST = '127.0.0.1'

describe('tcp-stun server, certificates', () => {
  const { certificate, closing, connect, start } = onLoopback(createSTUNServer)

  async function subject (address: Endpoint): Promise<string> {
    const socket = tls.connect({ ...address, rejectUnauthorized: false })
    closing.push({ close: () => socket.destroy() })
    await pEvent(socket, 'secureConnect', EVENT)

    return socket.getPeerCertificate().fingerprint256
  }

  for (const workers of [0, 2]) {
    it(`uses another certificate for new connections, and keeps open ones: ${workers} workers`, async () => {
      const [first, second] = [certificate(), certificate()]
      const server = await start({ listen: [], workers, tls: { ...first, listen: [{ host: HOST, port: 0 }] } })
      const [address] = server.addresses
      const client = await connect({ ...address, tls: { ca: first.cert, host: 'localhost' } })
      await client.ask()
      const before = await subject(address)

      await expect(server.updateTLS({ key: first.key, cert: second.cert })).to.eventually.be.rejected()
      expect(await subject(address)).to.equal(before)

      await server.updateTLS(second)

      // a worker takes it as soon as it is told
      await waitUntil('the new certificate is served', async () => await subject(address) !== before)

      await client.ask()
    })
  }

  it('rejects a certificate when it has no TLS', async () => {
    await expect((await start()).updateTLS(certificate()))
      .to.eventually.be.rejected()
      .with.property('name', 'InvalidParametersError')
  })
})
