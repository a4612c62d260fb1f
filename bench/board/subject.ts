/**
 * A board, or a peer that polls it, in a process of its own
 */
import { randomBytes } from 'node:crypto'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { RequestStream } from '../../packages/tcp-stun/src/rendezvous/client/request-stream.ts'
import { createStore, rendezvousServer } from '../../packages/tcp-stun/src/rendezvous/index.ts'
import { Message } from '../../packages/tcp-stun/src/rendezvous/pb/rendezvous.ts'
import { tcpSTUN } from '../../src/index.ts'
import { answer } from '../lib/child.ts'
import type { Question, Restored } from './questions.ts'
import type { StoredRegistration } from '../../packages/tcp-stun/src/rendezvous/index.ts'
import type { Connection, Libp2p } from '@libp2p/interface'
import type { ServiceFactoryMap } from 'libp2p'

const NAMESPACE = 'bench'

/**
 * A signed record with four addresses
 */
const RECORD_LENGTH = 326

const BATCH = 1_000
const HOUR = 3_600_000

let connection: Connection | undefined
let cookie: Uint8Array<ArrayBuffer> | undefined

answer(async (question: Question): Promise<unknown> => {
  switch (question.do) {
    case 'fill':
      return fill(question.folder, question.count)
    case 'restore':
      return restore(question.folder, question.count)
    case 'cpu': {
      const { user, system } = process.cpuUsage()

      return (user + system) / 1_000
    }
    case 'connect': {
      const node = await startNode({})
      connection = await node.dial(question.addresses.map(address => multiaddr(address)))

      return readAll(connection)
    }
    case 'poll':
      return poll(question.stream, question.count)
    default:
      throw new Error('There is no such question')
  }
})

async function startNode (services: ServiceFactoryMap<any>): Promise<Libp2p> {
  return createLibp2p<any>({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcpSTUN({ stunServers: [] })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    // its pings would be counted
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ...services }
  })
}

async function fill (folder: string, count: number): Promise<void> {
  const store = await createStore(folder)
  await store.open({ onChange () {}, onGap () {}, onConnection () {}, onDamage () {} })
  const first = Date.now() * 4_096

  for (let i = 0; i < count; i += BATCH) {
    await store.write(Array.from({ length: Math.min(BATCH, count - i) }, (_, j) => ({
      type: 'put',
      registration: registration(first + i + j)
    })))
  }

  await store.close()
}

function registration (position: number): StoredRegistration {
  return {
    peer: `12D3KooW${randomBytes(22).toString('hex')}`,
    namespace: NAMESPACE,
    form: 'standard',
    record: Uint8Array.from(randomBytes(RECORD_LENGTH)),
    expires: Date.now() + HOUR,
    position,
    via: '12D3KooWJoYgWfTBrjUmuE2rZbzJzBrn4DSgFXbXYfsKmCrDAQ3H'
  }
}

async function restore (folder: string, count: number): Promise<Restored> {
  const before = memory()
  const store = await createStore(folder)
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const node = await startNode({
    board: rendezvousServer({ store, maxRegistrations: 1_000_000, maxRequestsPerSecond: Infinity, graceTime: HOUR })
  })
  const duration = performance.now() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  const { registrations } = node.services.board as { registrations: number }

  if (registrations !== count) {
    throw new Error(`${registrations} of ${count} registrations were restored`)
  }

  return {
    addresses: node.getMultiaddrs().map(String),
    duration,
    cpu: (user + system) / 1_000,
    memory: (memory() - before) / count
  }
}

/**
 * What is in use, in bytes
 */
function memory (): number {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
  }

  const { heapUsed, arrayBuffers } = process.memoryUsage()

  return heapUsed + arrayBuffers
}

/**
 * @returns how many registrations there are
 */
async function readAll (connection: Connection): Promise<number> {
  const stream = new RequestStream(connection)
  let count = 0

  while (true) {
    const length = await discover(stream)

    if (length === 0) {
      await stream.close(AbortSignal.timeout(10_000))

      return count
    }

    count += length
  }
}

async function poll (kind: 'kept' | 'fresh', count: number): Promise<void> {
  if (connection == null) {
    throw new Error('connect first')
  }

  let stream = new RequestStream(connection)

  for (let i = 0; i < count; i++) {
    await discover(stream)

    if (kind === 'fresh' && i < count - 1) {
      await stream.close(AbortSignal.timeout(10_000))
      stream = new RequestStream(connection)
    }
  }

  // a connection may have 8
  await stream.close(AbortSignal.timeout(10_000))
}

async function discover (stream: RequestStream): Promise<number> {
  const { discoverResponse } = await stream.ask({
    type: Message.MessageType.DISCOVER,
    discover: { ns: NAMESPACE, cookie }
  }, AbortSignal.timeout(30_000))
  cookie = discoverResponse?.cookie

  return discoverResponse?.registrations.length ?? 0
}
