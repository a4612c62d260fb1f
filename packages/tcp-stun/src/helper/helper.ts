import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from 'libp2p-tcp-stun'
import { isGlobal, isUnspecified, toMultiaddr } from 'libp2p-tcp-stun/net'
import { createSTUNServer } from 'libp2p-tcp-stun/server'
import { localAddresses } from '../check/local-addresses.ts'
import { RelayPolicy } from './relay-policy.ts'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { STUNServer } from 'libp2p-tcp-stun/server'

export interface HelperInit {
  /**
   * Where the libp2p node listens
   *
   * @default 0.0.0.0:4001
   */
  listen?: Endpoint[]

  /**
   * Where the STUN server listens
   *
   * @default 0.0.0.0:3478
   */
  stunListen?: Endpoint[]

  /**
   * More addresses to announce, as multiaddrs
   *
   * @default none
   */
  announce?: string[]

  /**
   * The identity of the node
   *
   * @default a new one
   */
  privateKey?: PrivateKey

  /**
   * How many peers can be reached through the relay at once
   *
   * @default 128
   */
  maxReservations?: number

  /**
   * How many of them may have the same IPv4 address or IPv6 /64. An IPv6 /56 may
   * have twice as many, a /48 four times as many.
   *
   * @default 8
   */
  maxReservationsPerAddress?: number
}

/**
 * A helper that is running
 */
export interface Helper {
  node: Libp2p
  stunServer: STUNServer
  close(): Promise<void>
}

export const DEFAULT_LISTEN: Endpoint = { host: '0.0.0.0', port: 4001 }
export const DEFAULT_STUN_LISTEN: Endpoint = { host: '0.0.0.0', port: 3478 }
export const DEFAULT_MAX_RESERVATIONS = 128

/**
 * As many as go-libp2p allows
 */
export const DEFAULT_MAX_RESERVATIONS_PER_ADDRESS = 8

/**
 * How long AutoNAT waits for one address, in ms: the client waits for the result,
 * and the kernel has sent two SYNs by then
 */
const DIAL_TIMEOUT = 3_000

/**
 * libp2p's defaults are for a node of one user: 300 connections, 5 new ones a
 * second from one host, 10 that are not upgraded yet. All peers of a network may
 * start at once here, several of them behind one NAT.
 */
const MIN_CONNECTIONS = 300
const MAX_NEW_CONNECTIONS_PER_SECOND = 20
const MAX_PENDING_CONNECTIONS = 100

/**
 * Start everything that a private network of peers needs on one public machine: a
 * STUN server, which tells peers their address; an AutoNAT v2 server, which tests
 * that address; and a circuit relay, where peers meet before a hole punch, or
 * stay when hole punching fails
 *
 * @throws the system's error, for example with code EADDRINUSE
 */
export async function startHelper (init: HelperInit = {}): Promise<Helper> {
  const { listen = [DEFAULT_LISTEN], stunListen = [DEFAULT_STUN_LISTEN], announce = [], privateKey } = init
  const maxReservations = init.maxReservations ?? DEFAULT_MAX_RESERVATIONS
  const policy = new RelayPolicy({
    maxReservations,
    maxReservationsPerAddress: init.maxReservationsPerAddress ?? DEFAULT_MAX_RESERVATIONS_PER_ADDRESS
  })
  const stunServer = createSTUNServer({ listen: stunListen })
  await stunServer.listen()

  try {
    const node = await createLibp2p({
      start: false,
      privateKey,
      addresses: {
        listen: listen.map(endpoint => toMultiaddr(endpoint).toString()),
        // libp2p announces a public address only once it is confirmed, and there is
        // nobody to confirm the helper's
        appendAnnounce: [...listen.flatMap(publicAddresses), ...announce]
      },
      // a NAT may admit every host that the client's port has contacted, so AutoNAT
      // dials from a port that no client knows
      transports: [tcpSTUN({ stunServers: [], portReuse: false })],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: {
        denyInboundRelayReservation: peer => !policy.admit(peer)
      },
      connectionManager: {
        addressDialTimeout: DIAL_TIMEOUT,
        // one for each reservation, and one for a peer that dials it
        maxConnections: Math.max(MIN_CONNECTIONS, 2 * maxReservations),
        inboundConnectionThreshold: MAX_NEW_CONNECTIONS_PER_SECOND,
        maxIncomingPendingConnections: MAX_PENDING_CONNECTIONS
      },
      services: {
        identify: identify(),
        autoNAT: autoNATv2(),
        relay: circuitRelayServer({ reservations: policy.reservations })
      }
    })

    policy.watch(node)
    await node.start()

    return {
      node,
      stunServer,
      close: async () => {
        await Promise.all([node.stop(), stunServer.close()])
      }
    }
  } catch (err) {
    await stunServer.close()
    throw err
  }
}

/**
 * The public addresses of this machine that an endpoint stands for
 */
function publicAddresses ({ host, port }: Endpoint): string[] {
  const hosts = isUnspecified(host) ? localAddresses(host.includes(':') ? 6 : 4).map(({ host }) => host) : [host]

  return hosts.filter(isGlobal).map(host => toMultiaddr({ host, port }).toString())
}
