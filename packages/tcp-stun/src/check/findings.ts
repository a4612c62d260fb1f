import type { HairpinResult } from './hairpin.ts'
import type { HoldResult } from './hold.ts'
import type { LocalAddress } from './local-addresses.ts'
import type { MappingBehaviour, View } from './mapping-behaviour.ts'
import type { OutsideResult } from './outside.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * What a server answered
 */
export interface ServerView extends View {
  /**
   * From request to answer, in ms
   */
  roundTrip: number

  /**
   * What the server calls itself
   */
  software?: string
}

/**
 * A server that was no use, and why. `mapped` is the address that it reported
 * when no peer could use that.
 */
export interface ServerFailure {
  server: string
  error: Error
  mapped?: Endpoint
}

/**
 * Whether something on the way rewrites addresses inside the payload, an
 * application layer gateway: MAPPED-ADDRESS, which it can read, differs from
 * XOR-MAPPED-ADDRESS. Unknown when no server sent the former.
 */
export type PayloadRewriting = 'no' | 'yes' | 'unknown'

/**
 * Whether there is a second NAT, of the carrier: what can be seen of it from the
 * inside. `unknown` is what it mostly is, since a second NAT looks like the
 * first one to both ends.
 */
export type CarrierNAT =
  { seen: 'yes', evidence: 'local-address' | 'server-inside', address: string } |
  { seen: 'no' } |
  { seen: 'unknown' }

/**
 * All that was seen of one IP version
 */
export interface Findings {
  version: 4 | 6

  /**
   * The addresses of this machine
   */
  addresses: LocalAddress[]

  /**
   * The local port that everything was asked from
   */
  port?: number

  /**
   * The local address and port of the connections to the servers
   */
  local?: Endpoint

  views: ServerView[]
  failures: ServerFailure[]
  mapping: MappingBehaviour

  /**
   * The address that all peers see, when there is one
   */
  external?: Endpoint

  /**
   * Views that the others outvote
   */
  dissenters: View[]

  /**
   * The external address is the local one: there is no NAT
   */
  direct: boolean

  rewriting: PayloadRewriting
  carrier: CarrierNAT
  hairpin: HairpinResult
  outside: OutsideResult

  /**
   * How long each server kept its connection, when that was asked for
   */
  held?: HoldResult[]
}
