import net from 'node:net'
import { expect } from 'aegir/chai'
import { closesAfterEach } from '../../../test/fixtures/cleanup.ts'
import { rawClient, request } from '../../../test/fixtures/raw-client.ts'
import { createSTUNServer } from '../src/server/index.ts'

const SLOW = 5_000
const PER_ADDRESS = 90

/**
 * Each answer comes within this, in ms: far more than it takes, far less than a
 * client waits (39.5 s, RFC 8489, section 6.2.2)
 */
const PATIENCE = 5_000

describe('STUN server under attack', () => {
  const { closing, closeLater } = closesAfterEach()

  it('answers an honest client under a slowloris of 5 000 connections and a flood of garbage', async function () {
    this.timeout(120_000)
    // in a process of its own, as it is run: the attack has this one
    const server = closeLater(
      createSTUNServer({
        workers: 1,
        listen: [{ host: '127.0.0.1', port: 0 }],
        messageTimeout: 60_000,
        maxNewConnectionsPerSecond: 1_000,
        maxRequestsPerSecond: 1_000
      })
    )
    await server.listen()
    const [address] = server.addresses
    const attack = { over: false, slow: new Set<net.Socket>(), garbage: 0 }
    closing.push({
      close: () => {
        attack.over = true
        attack.slow.forEach(socket => socket.destroy())
      }
    })
    const honest = closeLater(await rawClient({ ...address, localAddress: '127.0.9.1' }))
    await honest.ask()

    const started = request([{ type: 'SOFTWARE', value: 'x'.repeat(700) }])

    async function slow (i: number): Promise<void> {
      const socket = net.connect({ ...address, localAddress: `127.0.2.${1 + Math.floor(i / PER_ADDRESS)}` })
      socket.on('error', () => {})
      attack.slow.add(socket)
      socket.write(started.subarray(0, 20))
      await new Promise(resolve => { socket.once('connect', resolve) })
    }

    for (let i = 0; i < SLOW; i += 100) {
      await Promise.all(Array.from({ length: 100 }, async (_, j) => slow(i + j)))
    }

    // a byte more for each, again and again
    let sent = 20
    const drip = setInterval(() => {
      attack.slow.forEach(socket => socket.write(started.subarray(sent, sent + 1)))
      sent++
    }, 1_000)
    closing.push({ close: () => { clearInterval(drip) } })

    // each is reset, and the next one comes
    async function garbage (i: number): Promise<void> {
      while (!attack.over) {
        await new Promise<void>(resolve => {
          const socket = net.connect({ ...address, localAddress: `127.0.3.${i}` })
          socket.on('error', () => {})
          socket.on('close', () => { resolve() })
          socket.end(Buffer.alloc(1_000, 0xa5 + i))
        })
        attack.garbage++
      }
    }

    const floods = Promise.all(Array.from({ length: 20 }, async (_, i) => garbage(i + 1)))
    closing.push({ close: async () => floods })

    while (server.counters.resets['not-stun'] < 2_000) {
      const asked = Date.now()
      expect((await honest.ask()).class).to.equal('success')
      const another = await rawClient({ ...address, localAddress: '127.0.9.2' })
      expect((await another.ask()).class).to.equal('success')
      another.close()
      expect(Date.now() - asked).to.be.below(PATIENCE)
    }

    expect(server.counters.connections).to.be.at.least(SLOW)
    expect(server.state).to.equal('listening')
    attack.over = true
  })
})
