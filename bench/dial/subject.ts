/**
 * One side of a subject, in a process of its own
 */
import { once } from 'node:events'
import net from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { components, plainUpgrader } from '../../test/fixtures/components.ts'
import { answer } from '../lib/child.ts'
import type { Memory, Question } from './questions.ts'
import type { MultiaddrConnection, Transport } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'

const ANY_PORT = '/ip4/127.0.0.1/tcp/0'
const PROTOCOL = '/bench/1.0.0'

/**
 * The backlog that Node asks for
 */
const BACKLOG = 500

// no server is asked for a listener on loopback
const factory: () => (components: any) => Transport = process.argv[2] === 'ours' ? () => tcpSTUN() : () => tcp()
const accepted: MultiaddrConnection[] = []
const sockets: net.Socket[] = []
const ports = new Set<string | undefined>()
let node: Libp2p | undefined
let onAccepted = (): void => {}
let firstAccepted = 0

answer(async (question: Question): Promise<string | number | Memory | undefined> => {
  switch (question.do) {
    case 'node':
      node = await createLibp2p({
        addresses: { listen: [ANY_PORT] },
        transports: [factory()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        // no limits, which are for strangers
        connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: Infinity }
      })

      await node.handle(PROTOCOL, () => {})
      node.addEventListener('connection:open', ({ detail: { remoteAddr } }) => {
        ports.add(remoteAddr.getComponents()[1]?.value)
      })

      return String(node.getMultiaddrs()[0])
    case 'dial':
      if (node == null) {
        throw new Error('A node is to dial')
      }

      return dial(node, question.address, question.count)
    case 'ports':
      return ports.size
    case 'listen': {
      const listener = factory()(components()).createListener({
        upgrader: plainUpgrader({
          upgradeInbound: async maConn => {
            if (accepted.push(maConn) === 1) {
              firstAccepted = performance.now()
            }

            onAccepted()
          }
        })
      })
      await listener.listen(multiaddr(ANY_PORT))

      return String(listener.getAddrs()[0].getComponents()[1].value)
    }
    case 'open':
      await open(question.port, question.count)
      return
    case 'close':
      sockets.splice(0).forEach(socket => { socket.resetAndDestroy() })
      return
    case 'accepted': {
      const { count } = question
      await new Promise<void>(resolve => {
        onAccepted = () => {
          if (accepted.length === count) {
            resolve()
          }
        }
        onAccepted()
      })

      return performance.now() - firstAccepted
    }
    case 'forget':
      await Promise.all(
        accepted.splice(0).map(async maConn => (maConn.status === 'open' ? pEvent(maConn, 'close') : undefined))
      )
      return
    case 'memory':
      // leave only what is in use
      for (let i = 0; i < 4; i++) {
        await turn()
        global.gc?.()
      }

      return memory(process.memoryUsage())
    default:
      throw new Error('Unknown question')
  }
})

function memory ({ rss, heapUsed, external }: NodeJS.MemoryUsage): Memory {
  return { resident: rss, heap: heapUsed + external }
}

/**
 * @returns the mean time of a dial, in ms
 */
async function dial (dialer: Libp2p, address: string, count: number): Promise<number> {
  const ma = multiaddr(address)
  let time = 0

  for (let i = 0; i < count; i++) {
    const start = performance.now()
    const connection = await dialer.dial(ma)
    time += performance.now() - start

    // wait until the other side has upgraded it too
    await connection.newStream(PROTOCOL)
    // a reset leaves no TIME_WAIT, so that the next one has the same two ports
    const closed = new Promise(resolve => { connection.addEventListener('close', resolve, { once: true }) })
    connection.abort(new Error('done'))
    await closed
    // the socket closes at the end of a turn: until then there is a connection
    // with that host, and the next dial would take a fresh port
    await turn()
    await turn()
  }

  return time / count
}

/**
 * Connect in large batches, so that the server is the bottleneck
 */
async function open (port: number, count: number): Promise<void> {
  for (let i = 0; i < count; i += BACKLOG) {
    const some = Array.from({ length: Math.min(BACKLOG, count - i) }, () => net.connect({ host: '127.0.0.1', port }))
    some.forEach(socket => { socket.on('error', () => {}) })
    sockets.push(...some)
    await Promise.all(some.map(async socket => once(socket, 'connect')))
  }
}
