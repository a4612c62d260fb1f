import { DEFAULT_BOARD_LIMITS } from '../rendezvous/server/limits.ts'

/**
 * As many as go-libp2p allows
 */
export const DEFAULT_MAX_PEERS_PER_ADDRESS = 8
export const DEFAULT_MAX_PEERS = 1_000

/**
 * The limits of libp2p are for a node of one user: 300 connections, 5 new ones a second
 * from one host, 10 that are not upgraded yet. All peers of a network may start at once,
 * several of them behind one NAT.
 */
const MIN_CONNECTIONS = 300
const NEW_CONNECTIONS_PER_SECOND = 20

/**
 * Each peer holds two connections to the STUN server, and for a moment a third one
 */
const STUN_CONNECTIONS_PER_PEER = 3

/**
 * Namespaces of one peer, and the registrations of peers that have just left
 */
const REGISTRATIONS_PER_PEER = 4

/**
 * Behind the NAT of a carrier there may be peers without a reservation
 */
const CONNECTIONS_PER_PEER_OF_ADDRESS = 8

/**
 * As many as go-libp2p allows
 */
const CIRCUITS_PER_CONNECTION = 16

/**
 * What the circuit relay of libp2p allows by default: enough for a hole punch, and of no
 * use to strangers who look for a proxy
 */
const OPEN_CIRCUIT = { bytes: 128 * 1_024, duration: 2 * 60_000 }

/**
 * Members whose NATs cannot be punched stay on the relay
 */
const MEMBERS_CIRCUIT = { bytes: 64 * 1_024 * 1_024, duration: 60 * 60_000 }

/**
 * Resident memory that a connected peer costs, in bytes; see docs/scaling.md
 */
const MEMORY_PER_PEER = 150_000
const BASE_MEMORY = 150_000_000

/**
 * Files, timers and the sockets of listeners
 */
const OTHER_DESCRIPTORS = 100

export interface HelperLimitsInit {
  /**
   * How many peers the helper is for. Every other limit follows from this number.
   *
   * @default 1_000
   */
  maxPeers?: number

  /**
   * How many of them may have the same IPv4 address or IPv6 /64. An IPv6 /56 may have
   * twice as many, a /48 four times as many.
   *
   * @default 8
   */
  maxPeersPerAddress?: number

  /**
   * What a relayed connection may carry, in bytes
   *
   * @default 131_072, or 67_108_864 where strangers are not served
   */
  relayBytes?: number

  /**
   * How long a relayed connection may last, in ms
   *
   * @default 120_000, or 3_600_000 where strangers are not served
   */
  relayDuration?: number
}

/**
 * What a helper allows
 */
export interface HelperLimits {
  /**
   * Peers with a reservation at the relay
   */
  peers: number

  /**
   * Those of one IPv4 address or IPv6 /64
   */
  peersPerAddress: number

  /**
   * libp2p connections: those of the peers, of AutoNAT's dials, and of peers that come and go
   */
  connections: number

  /**
   * Those of one IPv4 address or IPv6 /64. An IPv6 /56 may have twice as many, a /48 four
   * times as many.
   */
  connectionsPerAddress: number

  /**
   * Connections that are not upgraded yet
   */
  pendingConnections: number

  /**
   * From one IPv4 address or IPv6 /64
   */
  newConnectionsPerSecond: number

  /**
   * Dials by AutoNAT at once, and those that wait
   */
  dials: number
  queuedDials: number

  /**
   * Relayed connections that one peer may have opened
   */
  circuitsPerPeer: number

  /**
   * What a relayed connection may carry, in bytes, and how long it may last, in ms
   */
  relayBytes: number
  relayDuration: number

  stunConnections: number

  /**
   * On the board
   */
  registrations: number

  /**
   * Those of one IPv4 address or IPv6 /64
   */
  registrationsPerAddress: number

  /**
   * Open files that the process needs, see `ulimit -n`
   */
  descriptors: number

  /**
   * Resident memory with that many peers, in bytes
   */
  memory: number
}

/**
 * All limits of a helper, from the number of its peers
 */
export function helperLimits (init: HelperLimitsInit, isOpenToStrangers: boolean): HelperLimits {
  const { maxPeers: peers = DEFAULT_MAX_PEERS, maxPeersPerAddress = DEFAULT_MAX_PEERS_PER_ADDRESS } = init
  const circuit = isOpenToStrangers ? OPEN_CIRCUIT : MEMBERS_CIRCUIT
  const connections = Math.max(MIN_CONNECTIONS, Math.ceil(1.25 * peers))
  const stunConnections = STUN_CONNECTIONS_PER_PEER * peers + 100

  return {
    peers,
    peersPerAddress: maxPeersPerAddress,
    connections,
    connectionsPerAddress: CONNECTIONS_PER_PEER_OF_ADDRESS * maxPeersPerAddress,
    // strangers that say nothing are 200 at most: 20 a second, for 10 s each
    pendingConnections: between(300, peers / 4, 1_000),
    newConnectionsPerSecond: NEW_CONNECTIONS_PER_SECOND,
    dials: between(100, peers / 4, 500),
    // one for each address of a peer: beyond it AutoNAT reports an address as not dialable
    queuedDials: Math.max(500, 4 * peers),
    circuitsPerPeer: CIRCUITS_PER_CONNECTION,
    relayBytes: init.relayBytes ?? circuit.bytes,
    relayDuration: init.relayDuration ?? circuit.duration,
    stunConnections,
    registrations: REGISTRATIONS_PER_PEER * peers,
    // a single peer may have all of its own
    registrationsPerAddress: Math.max(
      DEFAULT_BOARD_LIMITS.maxRegistrationsPerPeer,
      REGISTRATIONS_PER_PEER * maxPeersPerAddress
    ),
    descriptors: connections + stunConnections + OTHER_DESCRIPTORS,
    memory: BASE_MEMORY + peers * MEMORY_PER_PEER
  }
}

function between (min: number, value: number, max: number): number {
  return Math.min(Math.max(min, Math.ceil(value)), max)
}
