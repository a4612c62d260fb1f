import type { HelperAccess } from '../helper/options.ts'

/**
 * What the status page and `/status.json` say about a helper. Names and ids of peers are
 * in it only for the machine's own users, see `forEverybody`.
 */
export interface HelperStatus {
  /**
   * Of libp2p: `started` while it serves
   */
  state: string

  /**
   * The peer id of the helper
   */
  id: string

  /**
   * Since when it runs, in ms since 1970
   */
  since: number

  /**
   * The multiaddrs of the helper, public ones first
   */
  addresses: string[]

  /**
   * A line of JavaScript that makes a node of this network
   */
  node: string

  access: HelperAccess
  reachability: Reachability
  certificates: CertificateStatus[]
  peers: PeersStatus
  board: BoardStatus

  /**
   * What is used, and how much there is of it
   */
  usage: Record<'reservations' | 'connections' | 'registrations' | 'stun', Usage>

  /**
   * Connections through the relay
   */
  relayedConnections: number

  /**
   * Binding requests that were answered
   */
  bindings: number

  refusals: Refusal[]

  /**
   * Other helpers with the same board
   */
  helpers: OtherHelper[]
}

/**
 * Whether hosts of the internet can connect: `reached` after one has, with the time of the
 * latest in ms since 1970
 */
export type Reachability =
  { kind: 'no-public-address' } |
  { kind: 'not-reached-yet' } |
  { kind: 'reached', latest: number }

export interface CertificateStatus {
  names: string[]

  /**
   * In ms since 1970
   */
  expires: number
}

export interface Usage {
  used: number
  max: number
}

/**
 * How a peer is connected to the helper
 */
export type PeerTransport = 'tcp' | 'ws' | 'wss' | 'relay' | 'other'

/**
 * What a peer's record on the board says about the NAT before it:
 *
 * - `dialable`: it announces a public address, so strangers can dial it
 * - `relayed`: others reach it by a relay only, until a hole is punched
 * - `unknown`: it has not registered, or only private addresses
 */
export type NATVerdict = 'dialable' | 'relayed' | 'unknown'

export interface PeersStatus {
  connected: number

  /**
   * Those that there are, the largest first
   */
  kinds: Array<{ transport: PeerTransport, verdict: NATVerdict, count: number }>

  /**
   * Each of them, up to a number
   */
  list?: Array<{ id: string, address: string, transport: PeerTransport, verdict: NATVerdict }>
}

export interface BoardStatus {
  registrations: number
  peers: number

  /**
   * Requests that wait for a registration
   */
  waiting: number

  /**
   * Whether registrations are stored: `failing` while they are kept in memory only
   */
  store: 'working' | 'failing'

  /**
   * How many namespaces there are, and the largest of them
   */
  namespaces: number
  largest: Array<{ name?: string, registrations: number }>
}

export interface Refusal {
  by: 'connection' | 'relay' | 'stun' | 'board'
  reason: string
  count: number
}

export interface OtherHelper {
  id?: string
  registrations: number
}

/**
 * The status without names of namespaces, and without ids and addresses of peers
 */
export function forEverybody (status: HelperStatus): HelperStatus {
  const { list, ...peers } = status.peers

  return {
    ...status,
    peers,
    board: { ...status.board, largest: status.board.largest.map(({ registrations }) => ({ registrations })) },
    helpers: status.helpers.map(({ registrations }) => ({ registrations }))
  }
}
