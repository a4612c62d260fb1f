/**
 * A listener that answers the first bytes of each connection, or a client that waits for
 * the answer, in a process of its own
 */
import net from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../src/index.ts'
import { components, plainUpgrader } from '../../test/fixtures/components.ts'
import { answer } from '../lib/child.ts'
import { median } from '../lib/side-by-side.ts'
import type { Socket } from 'node:net'

/**
 * What a libp2p dialler sends first
 */
const FIRST_BYTES = Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n')
const REPLY = Buffer.from('\x13/multistream/1.0.0\n')

export type Question =
  /** Answered with the port */
  { do: 'listen', webSockets: boolean } |
  /** Open so many connections, some at a time, until each has got an answer; answered with how many that is a second */
  { do: 'open', port: number, count: number, atOnce: number } |
  /** One after the other; answered with the median time from the first bytes to their answer, in us */
  { do: 'latency', port: number, count: number } |
  /** Open connections that say nothing; answered with how many are open once all have been opened */
  { do: 'silence', port: number, count: number } |
  /** Answered when all of these have ended, with the longest time from connecting to the end, in ms */
  { do: 'end' } |
  /** Answered with the bytes of the process, after a garbage collection */
  { do: 'memory' }

let lives: Array<Promise<number>> = []

answer(async (question: Question): Promise<number> => {
  switch (question.do) {
    case 'listen':
      return listen(question.webSockets)
    case 'open':
      return rate(question.port, question.count, question.atOnce)
    case 'latency':
      return latency(question.port, question.count)
    case 'silence':
      return silence(question.port, question.count)
    case 'end':
      return Math.max(...await Promise.all(lives))
    default: {
      gc?.()
      const { rss } = process.memoryUsage()

      return rss
    }
  }
})

async function listen (webSockets: boolean): Promise<number> {
  const upgrader = plainUpgrader({
    upgradeInbound: async maConn => {
      maConn.addEventListener('message', () => { maConn.send(REPLY) }, { once: true })
    }
  })
  // no server is asked for a listener on loopback
  const listener = tcpSTUN({ webSockets })(components()).createListener({ upgrader })
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))

  return Number(listener.getAddrs()[0].getComponents()[1].value)
}

/**
 * @returns the time from the first bytes to their answer, in ms
 */
async function exchange (port: number): Promise<number> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  await pEvent(socket, 'connect')
  const start = performance.now()
  socket.write(FIRST_BYTES)
  await pEvent(socket, 'data')
  const time = performance.now() - start
  socket.resetAndDestroy()

  return time
}

async function rate (port: number, count: number, atOnce: number): Promise<number> {
  const start = performance.now()
  let left = count

  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left-- > 0) {
      await exchange(port)
    }
  }))

  return count / (performance.now() - start) * 1_000
}

async function latency (port: number, count: number): Promise<number> {
  const times: number[] = []

  while (times.length < count) {
    times.push(await exchange(port))
  }

  return median(times) * 1_000
}

async function silence (port: number, count: number): Promise<number> {
  const counts = { open: 0 }
  lives = []

  for (let i = 0; i < count; i++) {
    const socket = net.connect({ port, host: '127.0.0.1' })
    const connected = pEvent(socket, 'connect').then(() => performance.now())
    socket.once('connect', () => { counts.open++ })
    socket.once('close', () => { counts.open-- })
    lives.push(lifeOf(socket, connected))

    // no more at once than the backlog has room for
    if (i % 200 === 199 || i === count - 1) {
      await connected
    }
  }

  return counts.open
}

/**
 * A connection may end with a reset
 */
async function lifeOf (socket: Socket, connected: Promise<number>): Promise<number> {
  const closed = pEvent(socket, 'close', { rejectionEvents: [] })
  socket.on('error', () => {})
  await closed
  const end = performance.now()

  return end - await connected
}
