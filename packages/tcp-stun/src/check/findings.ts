import type { DialBackResult } from './dial-back.ts'
import type { HairpinResult } from './hairpin.ts'
import type { LocalAddress } from './local-addresses.ts'
import type { MappingBehaviour, View } from './mapping-behaviour.ts'
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
 * Whether the carrier runs a second NAT, as far as that can be seen from the
 * inside. Mostly `unknown`: to both ends two NATs look like one.
 */
export type CarrierNAT =
  { seen: 'yes', evidence: 'local-address' | 'server-inside', address: string } |
  { seen: 'no' } |
  { seen: 'unknown' }

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
   * The IPv4 address that IPv6 connections get, when there is a NAT64 on the way
   */
  nat64?: Endpoint

  hairpin: HairpinResult
  dialBack: DialBackResult

  /**
   * How long each server kept its connection, when that was asked for
   */
  held?: HoldResult[]
}
