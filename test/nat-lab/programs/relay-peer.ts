/**
 * A js-libp2p node behind a relay, or the relay, on our transport, which says
 * and obeys what the peers in `interop/go` and `interop/rust` do
 */
import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr as stockDCUtR } from '@libp2p/dcutr'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { dcutr } from '../../../src/dcutr/index.ts'
import { tcpSTUN } from '../../../src/index.ts'
import { echo, serveEcho } from './echo.ts'
import { obey, readInit, say } from './talk.ts'
import type { DCUtR } from '../../../src/dcutr/index.ts'
import type { TCPSTUNInit } from '../../../src/index.ts'
import type { Connection } from '@libp2p/interface'

export interface RelayPeerInit extends TCPSTUNInit {
  listen: string[]

  /**
   * What to encrypt by
   *
   * @default 'noise'
   */
  security?: 'noise' | 'tls'

  /**
   * Be a circuit relay v2
   */
  relay?: boolean

  /**
   * Take a slot at this relay
   */
  reserve?: string

  /**
   * Verify the own addresses by AutoNAT v2, and those of others
   */
  autonat?: boolean

  /**
   * Punch holes by DCUtR
   */
  punch?: boolean

  /**
   * Our DCUtR service, or `@libp2p/dcutr`
   *
   * @default 'stock'
   */
  dcutr?: 'ours' | 'stock'

  /**
   * Use `@libp2p/tcp` in place of our transport
   */
  stock?: boolean
}

/**
 * How long a command may take, in ms
 */
const TIMEOUT = 30_000

const { listen, security = 'noise', relay, reserve, autonat, punch, dcutr: service = 'stock', stock, ...init } = readInit<RelayPeerInit>()
const transport = stock === true
  ? tcp()
  : tcpSTUN({ ...init, onMappingChange: ({ state, ...status }) => { say('mapping', { state, external: 'external' in status ? status.external.toString() : undefined }) } })

const node = await createLibp2p({
  // only after somebody listens: a relay is dialled while it starts
  start: false,
  addresses: { listen: [...listen, ...(reserve == null ? [] : [`${reserve}/p2p-circuit`])] },
  transports: [transport, circuitRelayTransport()],
  connectionEncrypters: [security === 'tls' ? tls() : noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    identifyPush: identifyPush(),
    ping: ping(),
    // each run of a test is a peer of its own
    ...(relay === true && { relay: circuitRelayServer({ reservations: { maxReservations: Infinity } }) }),
    ...(autonat === true && { autonat: autoNATv2() }),
    ...(punch === true && { dcutr: service === 'ours' ? dcutr() : stockDCUtR() })
  }
})

function addresses (): string[] {
  return node.getMultiaddrs().map(String)
}

await serveEcho(node)

node.addEventListener('connection:open', ({ detail }) => {
  say('connected', {
    time: Date.now(),
    direction: detail.direction,
    peer: detail.remotePeer.toString(),
    remote: detail.remoteAddr.toString(),
    relayed: detail.limits != null,
    security: detail.encryption,
    muxer: detail.multiplexer
  })
})
node.addEventListener('connection:close', ({ detail }) => {
  say('disconnected', { peer: detail.remotePeer.toString(), remote: detail.remoteAddr.toString() })
})
node.addEventListener('peer:identify', ({ detail }) => {
  say('identified', {
    peer: detail.peerId.toString(),
    addresses: detail.listenAddrs.map(String),
    observed: detail.observedAddr?.toString(),
    agent: detail.agentVersion
  })
})
node.addEventListener('self:peer:update', () => {
  say('addresses', { addresses: addresses() })
  sayReserved()
})

let reserved = false

function sayReserved (): void {
  const relayed = addresses().find(address => address.includes('/p2p-circuit'))

  if (relayed != null && !reserved) {
    reserved = true
    say('reserved', { address: relayed })
  }
}

if (punch === true && service === 'ours') {
  const { dcutr: puncher } = node.services as unknown as { dcutr: DCUtR }

  puncher.addEventListener('hole-punch:start', ({ detail }) => { say('hole-punch:start', { peer: detail.peer.toString(), role: detail.role }) })
  puncher.addEventListener('hole-punch:success', ({ detail }) => { say('hole-punch:success', { peer: detail.peer.toString(), method: detail.method, duration: detail.duration }) })
  puncher.addEventListener('hole-punch:failure', ({ detail }) => { say('hole-punch:failure', { peer: detail.peer.toString(), name: detail.error.name, message: detail.error.message }) })
}

await node.start()
say('started', { id: node.peerId.toString(), addresses: addresses() })
sayReserved()

/**
 * An address that is only /p2p/... means a connection that is there, a direct
 * one rather than a relayed one
 */
async function connect (address: string): Promise<Connection> {
  const [component] = multiaddr(address).getComponents()

  if (component.name !== 'p2p') {
    return node.dial(multiaddr(address), { signal: AbortSignal.timeout(TIMEOUT) })
  }

  const connections = node.getConnections(peerIdFromString(component.value ?? ''))
  const connection = connections.find(({ limits }) => limits == null) ?? connections[0]

  if (connection == null) {
    throw new Error(`There is no connection with ${address}`)
  }

  return connection
}

obey({
  dial: async ({ address }) => {
    const connection = await connect(address)
    say('dialled', { peer: connection.remotePeer.toString() })
  },
  hangUp: async ({ peer }) => {
    await node.hangUp(peerIdFromString(peer))
    say('hung-up', { peer })
  },
  echo: async ({ address, bytes }) => { say('echoed', await echo(await connect(address), bytes, AbortSignal.timeout(TIMEOUT))) },
  ping: async ({ address }) => {
    const connection = await connect(address)
    say('pong', { roundTrip: await node.services.ping.ping(connection.remotePeer, { signal: AbortSignal.timeout(TIMEOUT) }) })
  },
  addresses: () => { say('addresses', { addresses: addresses() }) }
}, async () => node.stop())
