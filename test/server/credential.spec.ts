import { expect } from 'aegir/chai'
import { PublicMapping } from '../../src/mapping/index.ts'
import { createSTUNServer } from '../../src/server/index.ts'
import {
  METHOD_BINDING, MessageDecoder, STUNClient, decodeMessage, encodeMessage, shortTermKey
} from '../../src/stun/index.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { fakeServer } from '../fixtures/stun-servers.ts'
import type { STUNServer } from '../../src/server/index.ts'
import type { STUNCredential } from '../../src/stun/index.ts'

const CREDENTIAL = { username: 'member', password: 'The m\u00aatrix' }

describe('a STUN server with a credential (RFC 8489, section 9.1)', () => {
  const { closing, closeLater } = closesAfterEach()

  async function listen (credential: STUNCredential | undefined = CREDENTIAL): Promise<STUNServer> {
    const server = closeLater(createSTUNServer({ listen: [{ host: '127.0.0.1', port: 0 }], credential }))
    await server.listen()

    return server
  }

  async function connect (
    { addresses: [{ host, port }] }: STUNServer,
    credential?: STUNCredential
  ): Promise<STUNClient> {
    const client = closeLater(new STUNClient({ server: { host, port }, credential }))
    await client.connect()

    return client
  }

  it('answers who knows it, again and again, and signs its answers', async () => {
    const server = await listen()
    const client = await connect(server, CREDENTIAL)

    for (let i = 0; i < 3; i++) {
      expect((await client.request()).mapped.host).to.equal('127.0.0.1')
    }

    expect(server.counters).to.include({ bindings: 3 })
  })

  for (const { title, credential, code } of [
    { title: 'has none', credential: undefined, code: 400 },
    { title: 'has another password', credential: { ...CREDENTIAL, password: 'wrong' }, code: 401 },
    { title: 'has another name', credential: { ...CREDENTIAL, username: 'stranger' }, code: 401 }
  ]) {
    it(`tells a client so that ${title}`, async () => {
      const server = await listen()
      const client = await connect(server, credential)

      await expect(client.request()).to.eventually.be.rejected.with.property('code', code)
      await expect(client.request()).to.eventually.be.rejected.with.property('message').that.include('stunCredential')
      expect(server.counters.errors).to.include({ [code]: 2 })
      expect(server.counters.bindings).to.equal(0)
    })
  }

  for (const { title, integrityKey } of [
    { title: 'not signed', integrityKey: undefined },
    { title: 'signed with another password', integrityKey: shortTermKey('wrong') }
  ]) {
    it(`an answer that is ${title} is not believed`, async () => {
      const decoder = new MessageDecoder()
      const liar = await fakeServer(socket => {
        socket.on('data', chunk => {
          for (const bytes of decoder.decode(chunk)) {
            const { transactionId } = decodeMessage(bytes)
            socket.write(encodeMessage({
              class: 'success',
              method: METHOD_BINDING,
              transactionId,
              attributes: [{ type: 'XOR-MAPPED-ADDRESS', address: { host: '11.0.0.1', port: 1 } }]
            }, { integrityKey }))
          }
        })
      })
      closing.push(liar)
      const client = closeLater(new STUNClient({ server: liar, credential: CREDENTIAL }))
      await client.connect()

      await expect(client.request()).to.eventually.be.rejectedWith('has not signed')
      expect(client.endReason).to.have.property('name', 'STUNProtocolError')
    })
  }

  it('a mapping has it', async () => {
    const { addresses: [{ port }] } = await listen()
    const mapping = closeLater(new PublicMapping({
      listener: '127.0.0.1:40123',
      stunServers: [`stun:127.0.0.1:${port}`],
      stunCredential: CREDENTIAL,
      allowPrivateMapping: true
    }))

    expect(await mapping.start({ signal: AbortSignal.timeout(5_000) }))
      .to.have.property('state')
      .that.is.oneOf(['direct', 'mapped'])
  })
})
