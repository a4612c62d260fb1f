/**
 * A libp2p node, on our transport when it has `stunServers`, else on a stock
 * `@libp2p/tcp`
 */
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from '../../../src/index.ts'
import { sayRenewals } from './counting-metrics.ts'
import { describeMapping } from './describe-mapping.ts'
import { echo, serveEcho } from './echo.ts'
import { obey, readInit, say } from './talk.ts'
import type { TCPSTUNComponents, TCPSTUNInit } from '../../../src/index.ts'

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

await serveEcho(node)

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

obey({
  dial: async ({ address }) => {
    const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(10_000) })
    say('dialled', { peer: connection.remotePeer.toString(), remote: connection.remoteAddr.toString() })
  },
  hangUp: async ({ peer }) => {
    await node.hangUp(peerIdFromString(peer))
    say('hung-up', { peer })
  },
  echo: async ({ address, bytes }) => {
    const signal = AbortSignal.timeout(10_000)
    say('echoed', await echo(await node.dial(multiaddr(address), { signal }), bytes, signal))
  },
  ping: async ({ address }) => { say('pong', { roundTrip: await node.services.ping.ping(multiaddr(address), { signal: AbortSignal.timeout(10_000) }) }) },
  addresses: () => { say('addresses', { addresses: node.getMultiaddrs().map(String) }) }
}, async () => node.stop())
