/**
 * A js-libp2p node, a relay if need be, that reports the events and runs the
 * commands of the peers in `interop/go` and `interop/rust`
 */
import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { dcutr as stockDCUtR } from '@libp2p/dcutr'
import { identify, identifyPush } from '@libp2p/identify'
import { kadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { attestor, dcutr } from '../../../src/dcutr/index.ts'
import { tcpSTUN } from '../../../src/index.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import { describeMapping } from './describe-mapping.ts'
import { dialingAutoNAT } from './dialing-autonat.ts'
import { echo, serveEcho } from './echo.ts'
import { portForward } from './port-forward.ts'
import { punchMetrics } from './punch-metrics.ts'
import { renewalMetrics } from './renewal-metrics.ts'
import type { DCUtR, DCUtRComponents, DCUtRInit } from '../../../src/dcutr/index.ts'
import type { TCPSTUNComponents, TCPSTUNInit } from '../../../src/index.ts'
import type { Connection, Metrics, Transport } from '@libp2p/interface'

export interface NodeOptions extends TCPSTUNInit {
  listen: string[]

  /**
   * Further addresses to announce
   */
  announced?: string[]

  /**
   * As libp2p's protobuf, in base64
   *
   * @default a new one
   */
  privateKey?: string

  /**
   * The key of a private network
   */
  networkKey?: string

  /**
   * How connections are encrypted
   *
   * @default 'noise'
   */
  security?: 'noise' | 'tls'

  /**
   * Be a circuit relay v2, which attests where its peers are connected from
   */
  relay?: boolean

  /**
   * Reserve a slot at this relay
   */
  reserve?: string

  /**
   * Verify the node's own addresses by AutoNAT, and those of others. True is version 2.
   */
  autonat?: boolean | 'v1' | 'v2'

  /**
   * After which time AutoNAT verifies an address again that was confirmed, or was not,
   * in ms
   *
   * @default that of libp2p: 10 minutes, 5 minutes
   */
  verifyAgain?: { confirmed?: number, failed?: number }

  /**
   * How many connections a second one host may make
   *
   * @default that of libp2p, 5
   */
  inboundConnectionThreshold?: number

  /**
   * Be part of the DHT
   */
  dht?: boolean

  /**
   * Punch holes by DCUtR
   */
  punch?: boolean

  /**
   * Our DCUtR service, or `@libp2p/dcutr`
   *
   * @default 'ours' with our transport
   */
  dcutr?: 'ours' | 'stock'

  /**
   * Options of our DCUtR service
   */
  dcutrInit?: DCUtRInit

  /**
   * Have the router forward the port by `@libp2p/upnp-nat`, whose word counts without
   * AutoNAT
   */
  forward?: 'upnp' | 'nat-pmp'

  /**
   * Use `@libp2p/tcp` in place of our transport
   *
   * @default whether there are no `stunServers`
   */
  stock?: boolean
}

interface NamedAddresses {
  addressManager: NonNullable<TCPSTUNComponents['addressManager']> & {
    addDNSMapping (name: string, addresses: string[]): void
  }
}

interface NamedCertificate {
  key: string
  cert: string
  name: string
  address: string
}

/**
 * What the AutoTLS service does once it has a certificate. ACME and the registration of
 * the name are left out.
 */
let autoTLS = (certificate: NamedCertificate): void => {}

/**
 * How long a command may take, in ms
 */
const TIMEOUT = 30_000

const {
  listen,
  announced = [],
  privateKey,
  networkKey,
  security = 'noise',
  relay,
  reserve,
  autonat,
  verifyAgain,
  inboundConnectionThreshold,
  dht,
  punch,
  dcutr: service,
  dcutrInit,
  forward,
  stock,
  ...init
} = readOptions<NodeOptions>()
const isStock = stock ?? init.stunServers == null
const ownService = punch === true && (service ?? (isStock ? 'stock' : 'ours')) === 'ours'

const node = await createLibp2p({
  // only once the handlers below are added: a relay is dialled during the start
  start: false,
  ...privateKey != null && { privateKey: privateKeyFromProtobuf(Buffer.from(privateKey, 'base64')) },
  ...networkKey != null && { connectionProtector: preSharedKey({ psk: Buffer.from(networkKey) }) },
  addresses: {
    listen: [...listen, ...(reserve == null ? [] : [`${reserve}/p2p-circuit`])],
    appendAnnounce: announced,
    addressVerificationTTL: verifyAgain?.confirmed,
    addressVerificationRetry: verifyAgain?.failed
  },
  connectionManager: { inboundConnectionThreshold },
  transports: [
    isStock ? tcp() : createTransport,
    ...(punch === true || reserve != null ? [circuitRelayTransport()] : [])
  ],
  connectionEncrypters: [security === 'tls' ? tls() : noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    identifyPush: identifyPush(),
    // libp2p's connection monitor has a stream of the protocol too, for a moment every 10 s
    ping: ping({ maxOutboundStreams: 3 }),
    // each run of a test is a peer of its own
    ...(relay === true && {
      relay: circuitRelayServer({ reservations: { maxReservations: Infinity } }),
      attestor: attestor()
    }),
    ...((autonat === true || autonat === 'v2') && { autonat: autoNATv2() }),
    ...(autonat === 'v1' && { autonat: dialingAutoNAT }),
    ...(dht === true && { dht: kadDHT() }),
    ...(forward != null && { portForward: portForward(forward, autonat == null) }),
    ...(punch === true && { dcutr: ownService ? createDCUtR : stockDCUtR() })
  }
})

/**
 * Our transport, with metrics of its renewals. Components of libp2p throw for what
 * is missing, so they cannot be copied.
 */
function createTransport (components: TCPSTUNComponents & NamedAddresses): Transport {
  autoTLS = ({ key, cert, name, address }) => {
    components.addressManager.addDNSMapping(name, [address])
    components.events?.dispatchEvent(new CustomEvent('certificate:provision', { detail: { key, cert } }))
  }
  const metrics = renewalMetrics()

  return tcpSTUN({ ...init, onMappingChange: status => { emit('mapping', describeMapping(status)) } })(
    withMetrics(components, metrics)
  )
}

/**
 * Our service, with metrics of its hard punches
 */
function createDCUtR (components: DCUtRComponents): DCUtR {
  return dcutr(dcutrInit)(withMetrics(components, punchMetrics()))
}

function withMetrics<T extends object> (components: T, metrics: Metrics): T {
  return new Proxy(components, {
    get: (target, name) => (name === 'metrics' ? metrics : Reflect.get(target, name))
  })
}

/**
 * Whether the node serves the DHT
 */
function dhtMode (): string | undefined {
  return (node.services as any).dht?.getMode()
}

function addresses (): string[] {
  return node.getMultiaddrs().map(String)
}

await serveEcho(node)

node.addEventListener('connection:open', ({ detail }) => {
  emit('connected', {
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
  emit('disconnected', { peer: detail.remotePeer.toString(), remote: detail.remoteAddr.toString() })
})
node.addEventListener('peer:identify', ({ detail }) => {
  emit('identified', {
    peer: detail.peerId.toString(),
    addresses: detail.listenAddrs.map(String),
    observed: detail.observedAddr?.toString(),
    agent: detail.agentVersion
  })
})
node.addEventListener('self:peer:update', () => {
  emit('addresses', { addresses: addresses(), dht: dhtMode() })
  emitReserved()
})

let reserved = false

function emitReserved (): void {
  const relayed = addresses().find(address => address.includes('/p2p-circuit'))

  if (relayed != null && !reserved) {
    reserved = true
    emit('reserved', { address: relayed })
  }
}

if (ownService) {
  const { dcutr: puncher } = node.services as unknown as { dcutr: DCUtR }

  puncher.addEventListener('hole-punch:start', ({ detail }) => {
    emit('hole-punch:start', { peer: detail.peer.toString(), role: detail.role })
  })
  puncher.addEventListener('hole-punch:success', ({ detail }) => {
    emit('hole-punch:success', { peer: detail.peer.toString(), method: detail.method, duration: detail.duration })
  })
  puncher.addEventListener('hole-punch:failure', ({ detail }) => {
    emit('hole-punch:failure', { peer: detail.peer.toString(), name: detail.error.name, message: detail.error.message })
  })
}

await node.start()
emit('started', { id: node.peerId.toString(), addresses: addresses() })
emitReserved()

/**
 * An address that is only /p2p/... names an existing connection, preferably a
 * direct one
 */
async function connect (address: string, timeout = TIMEOUT): Promise<Connection> {
  const [component] = multiaddr(address).getComponents()

  if (component.name !== 'p2p') {
    return node.dial(multiaddr(address), { signal: AbortSignal.timeout(timeout) })
  }

  const connections = node.getConnections(peerIdFromString(component.value ?? ''))
  const connection = connections.find(({ limits }) => limits == null) ?? connections[0]

  if (connection == null) {
    throw new Error(`There is no connection with ${address}`)
  }

  return connection
}

handleCommands(
  {
    dial: async ({ address, timeout }) => {
      const connection = await connect(address, timeout)
      emit('dialled', { peer: connection.remotePeer.toString(), remote: connection.remoteAddr.toString() })
    },
    hangUp: async ({ peer }) => {
      await node.hangUp(peerIdFromString(peer))
      emit('hung-up', { peer })
    },
    echo: async ({ address, bytes }) => {
      emit('echoed', await echo(await connect(address), bytes, AbortSignal.timeout(TIMEOUT)))
    },
    ping: async ({ address }) => {
      const connection = await connect(address)
      emit('pong', {
        roundTrip: await node.services.ping.ping(connection.remotePeer, { signal: AbortSignal.timeout(TIMEOUT) })
      })
    },
    certificate: (certificate: NamedCertificate) => { autoTLS(certificate) },
    addresses: () => { emit('addresses', { addresses: addresses(), dht: dhtMode() }) }
  },
  async () => node.stop()
)
