import { formatEndpoint } from '../address/endpoint.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Random } from '../runtime/random.ts'
import type { STUNURI } from '../stun/uri.ts'

/**
 * After the first failure a server rests this long, in ms, doubled by each further one
 */
const BACK_OFF_MIN = 1_000

/**
 * No server rests longer than this, in ms
 */
const BACK_OFF_MAX = 5 * 60_000

/**
 * To renew connections more often than this helps nobody, in ms
 */
const MIN_HOLD_TIME = 1_000

/**
 * Two connections that lived as long as each other, but for this part, were
 * ended by a timer
 */
const SAME_AGE = 0.2

/**
 * A server may have many addresses, or claim to
 */
const MAX_ALTERNATIVES = 3

export interface ServerPoolInit {
  servers: STUNURI[]

  /**
   * Least time between two connections to one server, in ms
   */
  minReconnectInterval: number

  /**
   * A server that hangs up sooner than `minReconnectInterval` is asked this often, in ms
   */
  keepAliveInterval: number

  random: Random
}

/**
 * A server that was configured, or another endpoint of one
 */
export interface PooledServer {
  readonly uri: STUNURI

  /**
   * The server that was configured: itself, or the one it is another endpoint
   * of. One operator runs both, and has one vote.
   */
  readonly origin: STUNURI
}

interface Entry extends PooledServer {
  inUse: boolean
  /** After failures not before this time, in ms by the clock */
  rested: number
  /** Failures in a row */
  failures: number
  /** How long its last connection was held, in ms */
  heldFor?: number
  /** How long it keeps connections, in ms */
  holdTime?: number
}

/**
 * How a connection to a server ended. `ms` is how long it was held; a `failed`
 * one gave no use and the server rests.
 */
export type Outcome = { type: 'held', ms: number } | { type: 'failed' } | { type: 'unused' }

/**
 * Which server to ask next: pure, it is told the time. Fair to public servers:
 * a server is left alone for `minReconnectInterval` after each connection, whichever
 * of its endpoints it was to, and for ever longer after each failure.
 */
export class ServerPool {
  private readonly entries: Entry[]
  private readonly minReconnectInterval: number
  private readonly keepAliveInterval: number
  private readonly random: Random
  /** When each configured server may be connected to again, in ms by the clock */
  private readonly available = new Map<STUNURI, number>()

  constructor (init: ServerPoolInit) {
    this.minReconnectInterval = init.minReconnectInterval
    this.keepAliveInterval = init.keepAliveInterval
    this.random = init.random
    this.entries = init.servers.map(uri => toEntry(uri, uri))
  }

  /**
   * How many endpoints are known
   */
  get size (): number {
    return this.entries.length
  }

  /**
   * The server to connect to now, or none. Untried servers come in the order
   * they were configured in; those that are known to hold long come before them,
   * then other endpoints of servers in use, and at last those that hang up
   * sooner than they may be asked again.
   *
   * @param now - in ms by the clock
   * @param replaced - what the connection is to replace: its server counts as free
   */
  take (now: number, replaced?: PooledServer): PooledServer | undefined {
    const used = new Set(this.entries.filter(entry => entry.inUse && entry !== replaced).map(({ origin }) => origin))
    const [entry] = this.entries
      .filter(entry => !entry.inUse && this.availableAt(entry) <= now)
      .sort((a, b) => compare(this.rank(a, used), this.rank(b, used)))

    if (entry == null) {
      return
    }

    entry.inUse = true
    this.available.set(entry.origin, now + this.minReconnectInterval)

    return entry
  }

  /**
   * The connection that `take` was called for ended
   */
  release (server: PooledServer, now: number, outcome: Outcome): void {
    const entry = this.find(server)

    if (entry == null) {
      return
    }

    entry.inUse = false

    if (outcome.type === 'held') {
      entry.failures = 0
      entry.holdTime = this.toHoldTime(entry, outcome.ms)
      entry.heldFor = outcome.ms

      // good to ask, not to hold
      if (outcome.ms < this.minReconnectInterval) {
        entry.rested = now + this.keepAliveInterval
      }
    } else if (outcome.type === 'failed') {
      // half of it at random, so that nodes that saw a server die do not come back in step
      const backOff = Math.min(BACK_OFF_MAX, BACK_OFF_MIN * Math.pow(2, entry.failures)) * (0.5 + this.random() / 2)
      entry.failures++
      entry.rested = now + backOff
    }
  }

  /**
   * A server in use answered: it is well. These are its other endpoints now.
   */
  answered (server: PooledServer, others: Endpoint[] = []): void {
    const entry = this.find(server)

    if (entry == null) {
      return
    }

    entry.failures = 0

    // an alternative's own view of the others would have no end
    if (entry.uri === entry.origin) {
      this.setAlternatives(entry.origin, others)
    }
  }

  /**
   * How long a server keeps a connection, in ms, once it was seen to end two of
   * about the same age: one may have ended for any reason
   */
  holdTime (server: PooledServer): number | undefined {
    return this.find(server)?.holdTime
  }

  /**
   * Whether a server in use may be connected to again at once
   */
  mayReconnect (server: PooledServer, now: number): boolean {
    return (this.available.get(server.origin) ?? 0) <= now
  }

  /**
   * When `take` will have a server, in ms by the clock; never while all are
   * in use
   */
  nextAvailable (): number | undefined {
    const times = this.entries.filter(entry => !entry.inUse).map(entry => this.availableAt(entry))

    return times.length === 0 ? undefined : Math.min(...times)
  }

  private find (server: PooledServer): Entry | undefined {
    return this.entries.find(entry => entry === server)
  }

  private availableAt (entry: Entry): number {
    return Math.max(entry.rested, this.available.get(entry.origin) ?? 0)
  }

  /**
   * Names may get other addresses: what is no endpoint any more is forgotten
   */
  private setAlternatives (origin: STUNURI, endpoints: Endpoint[]): void {
    const wanted = new Map(endpoints.slice(0, MAX_ALTERNATIVES).map(endpoint => {
      const uri = `${origin.scheme}:${formatEndpoint(endpoint)}`

      return [uri, { ...origin, ...endpoint, uri }]
    }))

    for (const entry of this.entries.filter(entry => entry.origin === origin && entry.uri !== origin)) {
      if (!wanted.delete(entry.uri.uri) && !entry.inUse) {
        this.entries.splice(this.entries.indexOf(entry), 1)
      }
    }

    for (const uri of wanted.values()) {
      if (!this.entries.some(entry => entry.uri.uri === uri.uri)) {
        this.entries.push(toEntry(uri, origin))
      }
    }
  }

  private toHoldTime ({ heldFor, holdTime }: Entry, ms: number): number | undefined {
    // good to ask, not to hold
    if (ms < Math.max(this.minReconnectInterval, MIN_HOLD_TIME)) {
      return
    }

    return heldFor != null && Math.abs(ms - heldFor) <= SAME_AGE * Math.max(ms, heldFor) ? Math.min(ms, heldFor) : holdTime
  }

  /**
   * What matters most comes first, the smallest is the best
   */
  private rank (entry: Entry, used: Set<STUNURI>): number[] {
    return [
      entry.failures,
      entry.heldFor != null && entry.heldFor < this.minReconnectInterval ? 1 : 0,
      // two opinions of one operator are one
      used.has(entry.origin) ? 1 : 0,
      entry.uri === entry.origin ? 0 : 1,
      -(entry.heldFor ?? 0)
    ]
  }
}

function toEntry (uri: STUNURI, origin: STUNURI): Entry {
  return { uri, origin, inUse: false, rested: 0, failures: 0 }
}

function compare (a: number[], b: number[]): number {
  const i = a.findIndex((value, i) => value !== b[i])

  return i === -1 ? 0 : a[i] - b[i]
}
