import { once } from 'node:events'
import net from 'node:net'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { expect } from 'aegir/chai'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { dcutr } from '../../src/dcutr/index.ts'
import { tcpSTUN } from '../../src/index.ts'
import { PublicMapping } from '../../src/mapping/index.ts'
import { LINES_AN_HOUR, limitedLog } from '../../src/runtime/quiet-log.ts'
import { closesAfterEach } from '../fixtures/cleanup.ts'
import { HeldClock } from '../fixtures/held-clock.ts'
import { recordingLogger } from '../fixtures/recording-logger.ts'
import { answer, fakeServer, mapped } from '../fixtures/stun-servers.ts'
import { waitUntil } from '../fixtures/wait-until.ts'
import type { DCUtREvents } from '../../src/dcutr/index.ts'
import type { STUNMessage } from '../../src/stun/message.ts'
import type { Libp2p } from '@libp2p/interface'
import type { TypedEventTarget } from 'main-event'

/**
 * What a user can read who leaves `DEBUG=libp2p:tcp-stun*` on. All tests of this file
 * together stay below it.
 */
const LIMIT = 60
const HOUR = 3_600_000
const MAPPING_LIMIT = 20

describe('the log of a quiet hour', function () {
  this.timeout(60_000)

  const { closeLater } = closesAfterEach()

  it(`has at most ${MAPPING_LIMIT} lines about a mapping whose servers hang up, fail, recover and lie`, async () => {
    const clock = new HeldClock()
    const logger = recordingLogger()
    let connections = 0
    let hosts = 0
    let lies = 0
    const server = async (reply: (request: STUNMessage, socket: net.Socket) => any): Promise<string> => {
      // one vote for each address
      const host = `127.0.0.${++hosts}`
      const fake = closeLater(await fakeServer(socket => {
        connections++
        const timer = clock.setTimeout(() => { socket.resetAndDestroy() }, 60_000)
        socket.once('close', () => { timer.clear() })
        answer(socket, reply)
      }, host))

      return fake.uri
    }
    const good = async (): Promise<string> => server(() => mapped('11.0.0.1', 4001))
    const recovering = async (): Promise<string> => {
      let asked = 0

      return server((_, socket) => {
        if (asked++ % 2 === 0) {
          return mapped('11.0.0.1', 4001)
        }

        socket.end('this is not STUN at all, and it is longer than a header')
      })
    }
    const gone = await fakeServer(() => {})
    await gone.close()
    const mapping = closeLater(new PublicMapping({
      listener: `127.0.0.1:${await freePort()}`,
      stunServers: [
        await good(), await good(), await good(),
        await recovering(), await recovering(),
        await server(() => mapped('11.0.0.1', 5_000 + lies++)),
        gone.uri
      ],
      // the good ones are not enough, so that the others are asked again and again
      stunConnections: 6,
      clock
    }, { logger }))
    await mapping.start()
    await pass(clock, HOUR)

    expect(mapping.status.state).to.equal('mapped')
    // each server hangs up after a minute: they are renewed all the time
    expect(connections).to.be.above(200)
    expect(logger.lines).to.have.length.within(1, MAPPING_LIMIT)
  })

  it(`has at most ${LIMIT - MAPPING_LIMIT} lines about peers, with dcutr and any number of them`, async () => {
    const logger = recordingLogger()
    const relay = closeLater(await createNode({
      services: { identify: identify(), relay: circuitRelayServer() }
    }))
    const [relayAddress] = relay.getMultiaddrs()
    const node = closeLater(await createNode({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0', `${relayAddress}/p2p-circuit`] },
      logger,
      services: { identify: identify(), dcutr: dcutr({ retries: 1, timeout: 500, backOff: 0, maxUpgrades: 100 }) }
    }))
    const stranger = closeLater(await createNode({ services: { identify: identify() } }))
    const visitor = closeLater(await createNode({ services: { identify: identify() } }))
    const events: TypedEventTarget<DCUtREvents> = (node.services as any).dcutr
    await waitUntil('the relay has a slot', () => node.getMultiaddrs().some(ma => `${ma}`.includes('p2p-circuit')))
    const relayed = multiaddr(`${relayAddress}/p2p-circuit/p2p/${node.peerId}`)
    const direct = node.getMultiaddrs().find(ma => !`${ma}`.includes('p2p-circuit')) ?? relayed
    const port = Number(direct.getComponents()[1].value)

    // peers by the relay, whose connections cannot be upgraded
    for (let i = 0; i < 20; i++) {
      const failure = pEvent(events as any, 'hole-punch:failure', { timeout: 10_000 })
      const connection = await stranger.dial(relayed)
      await failure
      connection.abort(new Error('leaves'))
    }

    // peers that connect and leave
    for (let i = 0; i < 40; i++) {
      (await visitor.dial(direct)).abort(new Error('leaves'))
    }

    // scanners that speak another protocol, and go away
    await Promise.all(Array.from({ length: 40 }, async () => {
      const socket = net.connect({ host: '127.0.0.1', port })
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.end('GET / HTTP/1.0\r\n\r\n')
      socket.resume()
      await once(socket, 'close')
    }))
    // peers that are not there any more
    const unreachable = await freePort()
    await Promise.all(Array.from({ length: 40 }, async () =>
      node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${unreachable}`), { force: true }).catch(() => {})))

    expect(logger.lines.filter(line => line.includes('no direct connection'))).to.have.lengthOf(LINES_AN_HOUR)
    expect(logger.lines).to.have.length.of.at.most(LIMIT - MAPPING_LIMIT)
  })

  it(`limits a log to ${LINES_AN_HOUR} lines within any hour, and has the others in trace`, () => {
    const clock = new HeldClock()
    const times: number[] = []
    let traced = 0
    const log = limitedLog(Object.assign(() => { times.push(clock.now()) }, {
      error: () => {},
      trace: () => { traced++ },
      newScope: () => log,
      enabled: true
    }), clock)

    for (let i = 0; i < 1_000; i++) {
      log('a peer')
      clock.advance(HOUR / 100)
    }

    expect(times.length + traced).to.equal(1_000)
    expect(times).to.have.length.within(10 * LINES_AN_HOUR - 1, 10 * LINES_AN_HOUR + LINES_AN_HOUR)
    expect(times.filter((time, i) => time - (times[i - LINES_AN_HOUR] ?? -Infinity) < HOUR)).to.be.empty()
  })
})

async function createNode (options: object): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcpSTUN({ stunServers: [] }), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: Infinity },
    connectionGater: { denyDialMultiaddr: () => false },
    ...options
  })
}

async function freePort (): Promise<number> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')

  return port
}

/**
 * Time goes by, half a second at a time, and the network keeps up
 */
async function pass (clock: HeldClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    clock.advance(500)

    for (let turn = 0; turn < 20; turn++) {
      await new Promise(resolve => { setImmediate(resolve) })
    }
  }
}
