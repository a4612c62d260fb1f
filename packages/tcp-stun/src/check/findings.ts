import type { DialBackResult } from './dial-back.ts'
import type { HairpinResult } from './hairpin.ts'
import type { LocalAddress } from './local-addresses.ts'
import type { MappingBehaviour, View } from './mapping-behaviour.ts'
import type { PortMapping } from './port-mapping.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * How long a server kept its connection
 */
export interface HoldResult {
  server: string
  endpoint: Endpoint

  /**
   * From the connection to its end, or to the end of the hold, in whole seconds
   */
  seconds: number

  /**
   * Why it ended, `undefined` while it is still open
   */
  ended?: string
}

/**
 * What a server answered
 */
export interface ServerView extends View {
  /**
   * From request to answer, in ms
   */
  roundTrip: number

  /**
   * The name of the server's software
   */
  software?: string
}

/**
 * A server that gave no usable address, and why
 */
export interface FailedQuery {
  server: string
  error: Error

  /**
   * The address that the server reported, when no peer could dial it
   */
  mapped?: Endpoint
}

/**
 * Whether an application layer gateway on the way rewrites addresses inside the
 * payload: it can read MAPPED-ADDRESS, but not XOR-MAPPED-ADDRESS, so the two
 * differ. Unknown when no server sends MAPPED-ADDRESS.
 */
export type PayloadRewriting = 'no' | 'yes' | 'unknown'

/**
 * Whether there is a second NAT behind the router of this machine, in most cases the
 * carrier's. Then the router has no public address, and a port forward in it is of
 * no use.
 */
export type CarrierNAT =
  { seen: 'yes', evidence: CarrierEvidence, address: string } |
  { seen: 'yes', evidence: 'router-without-address' } |
  { seen: 'yes', evidence: 'distance', hops: number } |
  { seen: 'no', evidence: 'local-address' | 'router-address' | 'distance' } |
  { seen: 'unknown' }

/**
 * - `local-address`: this machine has an address of a carrier's network
 * - `server-inside`: a server inside the carrier's network reports such an address
 * - `router-address`: the router reports (by UPnP or NAT-PMP) another external
 * address than the servers
 */
export type CarrierEvidence = 'local-address' | 'server-inside' | 'router-address'

/**
 * Everything that was found out about one IP version
 */
export interface Findings {
  version: 4 | 6

  /**
   * The addresses of this machine
   */
  addresses: LocalAddress[]

  /**
   * The local port that every server was asked from
   */
  port?: number

  /**
   * The local address and port of the connections to the servers
   */
  local?: Endpoint

  views: ServerView[]
  failures: FailedQuery[]
  mapping: MappingBehaviour

  /**
   * The address that every peer sees, when there is one
   */
  external?: Endpoint

  /**
   * Answers that the others outvote
   */
  dissenters: View[]

  /**
   * The external address is the local one: there is no NAT
   */
  direct: boolean

  rewriting: PayloadRewriting
  carrier: CarrierNAT

  /**
   * What the router offers; `undefined` when none is known
   */
  portMapping?: PortMapping

  /**
   * How many hops away the external address is, where that shows: 1 is the router of
   * this machine
   */
  distance?: number

  /**
   * The IPv4 address that IPv6 connections get, when there is a NAT64 on the way
   */
  nat64?: Endpoint

  hairpin: HairpinResult

  /**
   * The address that a peer outside was asked to dial: the external address, or the
   * port that the router forwards
   */
  dialed?: Endpoint

  dialBack: DialBackResult

  /**
   * How long each server kept its connection, when that was asked for
   */
  held?: HoldResult[]
}
