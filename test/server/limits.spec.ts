import { expect } from 'aegir/chai'
import { createSTUNServer } from '../../src/server/index.ts'
import { MAX_CLIENT_MEMORY } from '../../src/server/memory.ts'
import { onLoopback } from '../fixtures/on-loopback.ts'
import { request } from '../fixtures/raw-client.ts'
import { waitUntil } from '../fixtures/wait-until.ts'

const HOST = '127.0.0.1'

/**
 * More than garbage of other tests can make up for, and than the allocator has at hand, in bytes
 */
const BALLAST = 268_435_456

describe('STUN server, limits', () => {
  const { certificate, closing, connect, start } = onLoopback(createSTUNServer)

  it('makes room by ending the oldest connection without a response, when it is full', async () => {
    const server = await start({ maxConnections: 2 })
    const silent = await connect(server.addresses[0])
    const asked = await connect(server.addresses[0])
    await asked.ask()
    const third = await connect(server.addresses[0])

    await third.ask()
    expect(await silent.closed).to.equal('ECONNRESET')
    await asked.ask()
    expect(server.counters.resets.displaced).to.equal(1)
  })

  it('refuses new clients while those it has cost too much memory, and recovers when they leave', async () => {
    // the server's process is this one
    const server = await start({ maxMemory: 4 * MAX_CLIENT_MEMORY })
    const ballast = Buffer.alloc(BALLAST, 1)
    const clients = await Promise.all(Array.from({ length: 6 }, async () => connect(server.addresses[0])))
    await Promise.all(clients.map(async client => client.ask()))
    await waitUntil('the server is overloaded', () => server.state === 'overloaded')

    expect(ballast[0]).to.equal(1)
    // before or after the client knows that it is connected
    const how = await connect(server.addresses[0]).then(async client => client.closed, err => err.code)
    expect(how).to.equal('ECONNRESET')
    expect(server.counters.refused.memory).to.be.at.least(1)

    clients.forEach(client => { client.close() })
    await waitUntil('the server has recovered', () => server.state === 'listening')
    await (await connect(server.addresses[0])).ask()
  })

  it('is overloaded while it is full of clients that have been answered', async () => {
    const server = await start({ maxConnections: 1 })
    const client = await connect(server.addresses[0])
    expect(server.state).to.equal('listening')
    await client.ask()
    expect(server.state).to.equal('overloaded')
    client.close()
    await waitUntil('the server has recovered', () => server.state === 'listening')
  })

  it('keeps its clients when the wall clock is set back', async () => {
    const server = await start({ maxRequestsPerSecond: 5, maxNewConnectionsPerSecond: 5 })
    const held = await connect(server.addresses[0])
    await held.ask()
    const { now } = Date
    closing.push({ close: () => { Date.now = now } })
    Date.now = () => now() - 3_600_000

    await held.ask()
    await (await connect(server.addresses[0])).ask()
    expect(server.counters.resets.rate).to.equal(0)
    expect(server.counters.refused.rate).to.equal(0)
  })

  it('counts the time of a message from its first byte, not from each of its bytes', async () => {
    const server = await start({ messageTimeout: 300 })
    const client = await connect(server.addresses[0])
    const bytes = request([{ type: 'SOFTWARE', value: 'x'.repeat(760) }])
    let sent = 0
    const drip = setInterval(() => { client.socket.write(bytes.subarray(sent, ++sent)) }, 10)
    closing.push({ close: () => { clearInterval(drip) } })

    expect(await client.closed).to.be.oneOf(['ECONNRESET', 'EPIPE'])
    expect(server.counters.resets['message-timeout']).to.equal(1)
    expect(sent).to.be.lessThan(bytes.byteLength)
  })

  it('resets a client that does not begin a TLS handshake', async () => {
    const server = await start({
      listen: [],
      messageTimeout: 50,
      tls: { ...certificate(), listen: [{ host: HOST, port: 0 }] }
    })
    const client = await connect(server.addresses[0])
    await client.closed

    expect(server.counters.resets.tls).to.equal(1)
  })
})
