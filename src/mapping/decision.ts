import { NO_HISTORY } from './address-history.ts'
import { NO_VOTES } from './voting-memory.ts'
import type { AddressHistory } from './address-history.ts'
import type { StoredAnswer } from './answers.ts'
import type { PeerView } from './peer-views.ts'
import type { VotingMemory } from './voting-memory.ts'
import type { Endpoint } from '../address/endpoint.ts'

/**
 * All that is known
 */
export interface Facts {
  /**
   * The last answer of each server
   */
  answers: StoredAnswer[]

  /**
   * What peers see
   */
  peers: PeerView[]

  /**
   * Connections to servers, of which `connecting` have not been answered yet
   */
  connections: number
  connecting: number

  /**
   * How many servers could be connected to now, or are being connected to
   */
  askable: number

  /**
   * Whether a connection that is not to a STUN server holds the mapping
   */
  isHeldOtherwise: boolean
}

export interface DecideOptions {
  /**
   * How many connections hold the mapping
   */
  stunConnections: number

  /**
   * How long the answer of a connection that ended counts, in ms
   */
  lifetime: number
}

/**
 * What a decision has to know of earlier ones. Never mutated.
 */
export interface Memory {
  votes: VotingMemory
  history: AddressHistory
  isAnnounced: boolean

  /**
   * Something else held the mapping until then, by the monotonic clock in ms
   */
  heldOtherwiseUntil: number

  /**
   * When peers had the servers asked again, by the monotonic clock in ms
   */
  reopenedAt?: number
}

export const NO_MEMORY: Memory = { votes: NO_VOTES, history: NO_HISTORY, isAnnounced: false, heldOtherwiseUntil: 0 }

/**
 * What the status is:
 *
 * - `unchanged`: something is still under way
 * - `acquiring`: there is no address yet
 * - `mapped`: peers can be told this address
 * - `endpoint-dependent`: connections have different addresses. `isPooled`: the NAT
 * draws one of several public addresses for each connection.
 * - `lost`: no server can be asked
 */
export type Outcome =
  { state: 'unchanged' | 'acquiring' | 'lost' } |
  {
    state: 'mapped'
    external: string
    behaviour: 'endpoint-independent' | 'unknown'
    local: Endpoint
    servers: string[]
  } |
  { state: 'endpoint-dependent', answers: StoredAnswer[], peers: PeerView[], isPooled: boolean }

export interface Decision {
  memory: Memory
  outcome: Outcome

  /**
   * How many connections are wanted, at most
   */
  wanted: number

  /**
   * Whether connections may be renewed ahead of their end: not during a contest
   */
  mayRenew: boolean

  /**
   * The servers to ask again now
   */
  ask: StoredAnswer[]

  /**
   * End the connections to servers that have answered, but for these
   */
  keep?: StoredAnswer[]

  /**
   * Answers of servers that are outvoted. Their connections are ended.
   */
  reject: StoredAnswer[]

  /**
   * Answers that count no longer
   */
  expired: StoredAnswer[]

  /**
   * When to decide again even if nothing happens, by the monotonic clock in ms
   */
  next?: number
}
