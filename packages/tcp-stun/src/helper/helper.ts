import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from 'libp2p-tcp-stun'
import { toMultiaddr } from 'libp2p-tcp-stun/net'
import { createSTUNServer } from 'libp2p-tcp-stun/server'
import { rendezvousServer } from '../rendezvous/index.ts'
import { defaultListen, defaultSTUNListen, publicAddresses } from './endpoints.ts'
import { helperLimits } from './limits.ts'
import { RelayPolicy } from './relay-policy.ts'
import type { RendezvousServer } from '../rendezvous/index.ts'
import type { HelperLimits, HelperLimitsInit } from './limits.ts'
import type { RelayRefusal } from './relay-policy.ts'
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { STUNServer } from 'libp2p-tcp-stun/server'

export interface HelperInit extends HelperLimitsInit {
  /**
   * Where the libp2p node listens
   *
   * @default port 4001 of all addresses
   */
  listen?: Endpoint[]

  /**
   * Where the STUN server listens. A second port lets clients notice a NAT that gives
   * each of them another address.
   *
   * @default ports 3478 and 3479 of all addresses
   */
  stunListen?: Endpoint[]

  /**
   * More addresses to announce, as multiaddrs
   *
   * @default none
   */
  announce?: string[]

  /**
   * The public addresses of a 1:1 NAT before this machine, which passes all ports on
   *
   * @default none
   */
  externalIPs?: string[]

  /**
   * The networks of load balancers, like `10.0.0.0/8`. The STUN server expects a PROXY
   * header from there, and the limits for one address do not apply to libp2p connections.
   *
   * @default none
   */
  trustedProxies?: string[]

  /**
   * The identity of the node
   *
   * @default a new one
   */
  privateKey?: PrivateKey
}

export interface HelperServices extends Record<string, unknown> {
  relay: CircuitRelayService
  board: RendezvousServer
}

/**
 * A helper that is running
 */
export interface Helper {
  readonly node: Libp2p<HelperServices>
  readonly stunServer: STUNServer
  readonly limits: HelperLimits

  /**
   * How many peers got no reservation, and why
   */
  readonly refused: Readonly<Record<RelayRefusal, number>>

  close(): Promise<void>
}

/**
 * How long AutoNAT waits for one address, in ms: the client waits for the result,
 * and the kernel has sent two SYNs by then
 */
const DIAL_TIMEOUT = 3_000

/**
 * The system finds dead peers by TCP probes, after this time of silence in ms. libp2p's
 * pings do it too, at the cost of a stream for each connection every 10 s.
 */
const KEEP_ALIVE_DELAY = 60_000

/**
 * Start everything that a private network of peers needs on one public machine: a
 * STUN server, which tells peers their address; an AutoNAT v2 server, which tests
 * that address; and a circuit relay, where peers meet before a hole punch, or
 * stay when hole punching fails
 *
 * @throws the system's error, for example with code EADDRINUSE
 */
export async function startHelper (init: HelperInit = {}): Promise<Helper> {
  const { listen = defaultListen(), stunListen = defaultSTUNListen(), trustedProxies = [] } = init
  const limits = helperLimits(init, true)
  const policy = new RelayPolicy({ limits, trustedProxies })
  const stunServer = createSTUNServer({ listen: stunListen, trustedProxies, maxConnections: limits.stunConnections })
  await stunServer.listen()

  try {
    const node = await createNode({ ...init, listen }, limits, policy)
    policy.watch(node)
    forgetDeparted(node)
    await node.start()

    return {
      node,
      stunServer,
      limits,
      refused: policy.refused,
      close: async () => {
        await Promise.all([node.stop(), stunServer.close()])
      }
    }
  } catch (err) {
    await stunServer.close()
    throw err
  }
}

async function createNode (
  { listen, announce = [], externalIPs = [], trustedProxies = [], privateKey }: HelperInit & { listen: Endpoint[] },
  limits: HelperLimits,
  policy: RelayPolicy
): Promise<Libp2p<HelperServices>> {
  return createLibp2p({
    start: false,
    privateKey,
    addresses: {
      listen: listen.map(endpoint => toMultiaddr(endpoint).toString()),
      // libp2p announces a public address only once it is confirmed, and there is
      // nobody to confirm the helper's
      appendAnnounce: [...listen.flatMap(endpoint => publicAddresses(endpoint, externalIPs)), ...announce]
    },
    transports: [tcpSTUN({
      stunServers: [],
      // a NAT may admit every host that the client's port has contacted, so AutoNAT
      // dials from a port that no client knows
      portReuse: false,
      // a peer that only waits to be dialled is silent
      inboundSocketInactivityTimeout: 0,
      listenOpts: { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY }
    })],
    connectionEncrypters: [noise()],
    // the peers send keep-alives, and are many
    streamMuxers: [yamux({ enableKeepAlive: false })],
    connectionMonitor: { enabled: false },
    connectionGater: {
      denyInboundRelayReservation: peer => !policy.admit(peer)
    },
    connectionManager: {
      addressDialTimeout: DIAL_TIMEOUT,
      maxConnections: limits.connections,
      inboundConnectionThreshold: limits.newConnectionsPerSecond,
      maxIncomingPendingConnections: limits.pendingConnections,
      maxParallelDials: limits.dials,
      maxDialQueueLength: limits.queuedDials,
      allow: trustedProxies.map(toCIDR)
    },
    services: {
      // answers, but asks nobody: a helper has no use for what its peers support
      identify: identify({ runOnConnectionOpen: false }),
      ping: ping(),
      autoNAT: autoNATv2(),
      relay: circuitRelayServer(policy.relay),
      board: rendezvousServer()
    }
  })
}

/**
 * The peer store of libp2p keeps every peer that was ever connected
 */
function forgetDeparted (node: Libp2p): void {
  const log = node.logger.forComponent('libp2p:tcp-stun:helper')

  node.addEventListener('peer:disconnect', ({ detail }) => {
    node.peerStore.delete(detail).catch(err => { log.error('could not forget %p - %e', detail, err) })
  })
}

/**
 * A network like 10.0.0.0/8 as a multiaddr
 */
function toCIDR (network: string): string {
  const [host, prefix = host.includes(':') ? '128' : '32'] = network.split('/')

  return `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/ipcidr/${prefix}`
}
