/**
 * A libp2p node, on our transport when it has `stunServers`, else on a stock
 * `@libp2p/tcp`
 */
import { createHash, randomBytes } from 'node:crypto'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { pEvent } from 'p-event'
import { tcpSTUN } from '../../../src/index.ts'
import { sayRenewals } from './counting-metrics.ts'
import { describeMapping } from './describe-mapping.ts'
import { obey, readInit, say } from './talk.ts'
import type { TCPSTUNComponents, TCPSTUNInit } from '../../../src/index.ts'
import type { Stream } from '@libp2p/interface'

const ECHO = '/nat-lab/echo/1.0.0'

const { listen, ...options } = readInit<{ listen: string[] } & TCPSTUNInit>()

const node = await createLibp2p({
  addresses: { listen },
  transports: [options.stunServers == null ? tcp() : components => tcpSTUN({ ...options, onMappingChange: status => { say('mapping', describeMapping(status)) } })(withMetrics(components))],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), identifyPush: identifyPush(), ping: ping() }
})

/**
 * Components of libp2p throw for what is not there, so they can not be copied
 */
function withMetrics (components: TCPSTUNComponents): TCPSTUNComponents {
  const metrics = sayRenewals()

  return new Proxy(components, { get: (target, name) => name === 'metrics' ? metrics : Reflect.get(target, name) })
}

await node.handle(ECHO, async (stream: Stream) => {
  for await (const chunk of stream) {
    if (!stream.send(chunk)) {
      await stream.onDrain()
    }
  }

  await stream.close()
})

node.addEventListener('connection:open', ({ detail }) => {
  say('connected', { direction: detail.direction, peer: detail.remotePeer.toString(), remote: detail.remoteAddr.toString() })
})
node.addEventListener('connection:close', ({ detail }) => { say('disconnected', { peer: detail.remotePeer.toString() }) })
node.addEventListener('peer:identify', ({ detail }) => {
  say('identified', {
    peer: detail.peerId.toString(),
    addresses: detail.listenAddrs.map(String),
    observed: detail.observedAddr?.toString()
  })
})
node.addEventListener('self:peer:update', () => { say('addresses', { addresses: node.getMultiaddrs().map(String) }) })

say('started', { id: node.peerId.toString(), addresses: node.getMultiaddrs().map(String) })

/**
 * Send random bytes to the echo of a peer, and compare
 */
async function echo (address: string, bytes: number): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  const connection = await node.dial(multiaddr(address), { signal })
  const stream = await connection.newStream(ECHO, { signal })
  const data = randomBytes(bytes)
  const received = createHash('sha256')
  let length = 0

  const reading = (async () => {
    for await (const chunk of stream) {
      length += chunk.byteLength
      received.update(chunk.subarray())
    }
  })()

  for (let i = 0; i < data.byteLength; i += 65_536) {
    if (!stream.send(data.subarray(i, i + 65_536))) {
      await pEvent(stream, 'drain', { signal, rejectionEvents: ['close'] })
    }
  }

  await stream.close({ signal })
  await reading

  say('echoed', {
    remote: connection.remoteAddr.toString(),
    bytes: length,
    equal: length === bytes && received.digest('hex') === createHash('sha256').update(data).digest('hex')
  })
}

obey({
  dial: async ({ address }) => {
    const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(10_000) })
    say('dialled', { peer: connection.remotePeer.toString(), remote: connection.remoteAddr.toString() })
  },
  hangUp: async ({ peer }) => {
    await node.hangUp(peerIdFromString(peer))
    say('hung-up', { peer })
  },
  echo: async ({ address, bytes }) => echo(address, bytes),
  ping: async ({ address }) => { say('pong', { roundTrip: await node.services.ping.ping(multiaddr(address), { signal: AbortSignal.timeout(10_000) }) }) },
  addresses: () => { say('addresses', { addresses: node.getMultiaddrs().map(String) }) }
}, async () => node.stop())
