import { formatEndpoint } from '../address/endpoint.ts'
import { shuffle } from '../runtime/random.ts'
import { learnHoldTime } from './hold-time.ts'
import type { HoldTime } from './hold-time.ts'
import type { Outcome } from './outcome.ts'
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
 * How often to try whether the system has forgotten an earlier connection, in ms
 */
const TIME_WAIT_RETRY = 5_000

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
 * A configured server, or another endpoint of one
 */
export interface PooledServer {
  readonly uri: STUNURI

  /**
   * The configured server: itself, or the one that this is another endpoint of. One
   * operator runs both, and has one vote.
   */
  readonly origin: STUNURI
}

export interface TakeOptions {
  /**
   * What the connection is to replace: its server counts as free
   */
  replaced?: PooledServer

  /**
   * Also take servers that hang up at once, before their turn
   */
  isUrgent?: boolean

  /**
   * For one answer from another local port, which needs no `release`: servers in use
   * come first, since they are known to answer
   */
  isBrief?: boolean
}

interface Entry extends PooledServer {
  isInUse: boolean
  /** After a failure not before this time, in ms by the clock */
  restsUntil: number
  /** A server that hangs up at once is not asked before this time, in ms by the clock */
  spareUntil: number
  /** Failures in a row */
  failures: number
  /** How often in a row its answer was rejected */
  rejections: number
  holdTime: HoldTime
}

/**
 * Which server to ask next. The time is an argument, there are no timers. Fair to
 * public servers: a server is left alone for `minReconnectInterval` after each
 * connection, whichever of its endpoints that was to, and longer after each failure.
 */
export class ServerPool {
  private readonly entries: Entry[]
  private readonly minReconnectInterval: number
  private readonly keepAliveInterval: number
  private readonly random: Random
  /** When each configured server may be connected to again, in ms by the clock */
  private readonly available = new Map<STUNURI, number>()

  constructor ({ servers, minReconnectInterval, keepAliveInterval, random }: ServerPoolInit) {
    this.minReconnectInterval = minReconnectInterval
    this.keepAliveInterval = keepAliveInterval
    this.random = random
    // the first answers count most: no operator should be able to rely on being first
    this.entries = shuffle(servers, random).map(uri => toEntry(uri, uri))
  }

  /** How many endpoints are known */
  get size (): number {
    return this.entries.length
  }

  /** How many configured servers could be connected to now */
  askable (now: number): number {
    const used = this.usedOrigins()
    const isAskable = (entry: Entry): boolean => !used.has(entry.origin) && this.availableAt(entry, true) <= now

    return this.entries.filter(entry => entry.uri === entry.origin && isAskable(entry)).length
  }

  /**
   * The server to connect to now, or none. Servers that are known to hold long come
   * first, then untried ones in random order, then other endpoints of servers in
   * use, and at last servers that hang up sooner than they may be asked again.
   *
   * @param now - in ms by the clock
   * @param options - what the connection is for
   */
  take (now: number, options: TakeOptions = {}): PooledServer | undefined {
    const { replaced, isUrgent = false, isBrief = false } = options
    const used = this.usedOrigins(replaced)
    const rank = (entry: Entry): number[] => [isBrief && entry.isInUse ? 0 : 1, ...this.rank(entry, used)]
    const [entry] = this.entries
      .filter(entry => (isBrief || !entry.isInUse) && this.availableAt(entry, isUrgent) <= now)
      .sort((a, b) => compare(rank(a), rank(b)))

    if (entry == null) {
      return
    }

    entry.isInUse ||= !isBrief
    this.available.set(entry.origin, now + this.minReconnectInterval)

    return entry
  }

  /** The connection that `take` was called for ended */
  release (server: PooledServer, now: number, outcome: Outcome): void {
    const entry = this.find(server)

    if (entry == null) {
      return
    }

    entry.isInUse = false

    switch (outcome.type) {
      case 'held':
        entry.failures = 0
        entry.holdTime = learnHoldTime(entry.holdTime, outcome.ms, this.minReconnectInterval)

        // good to ask, not to hold
        if (outcome.ms < this.minReconnectInterval) {
          entry.spareUntil = now + this.keepAliveInterval
        }

        break
      case 'failed':
        entry.restsUntil = now + this.backOff(entry.failures)
        entry.failures++
        break
      case 'rejected':
        entry.restsUntil = now + this.backOff(entry.rejections)
        entry.rejections++
        break
      case 'occupied':
        // the others first, but no reason to wait longer and longer
        entry.failures = Math.max(1, entry.failures)
        entry.restsUntil = now + TIME_WAIT_RETRY
        this.available.set(entry.origin, now)
        break
      case 'unasked':
        this.available.set(entry.origin, now)
        break
      default:
    }
  }

  /** A server in use answered. These are its other endpoints now. */
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

  /** The answer of a server counts again */
  accepted (server: PooledServer): void {
    Object.assign(this.find(server) ?? {}, { rejections: 0 })
  }

  /** How long a server keeps a connection, in ms, once that is known */
  holdTime (server: PooledServer): number | undefined {
    return this.find(server)?.holdTime.known
  }

  /** Whether a server in use may be connected to again at once */
  mayReconnect (server: PooledServer, now: number): boolean {
    return (this.available.get(server.origin) ?? 0) <= now
  }

  /**
   * When `take` will have a server, in ms by the clock; never while all are in use
   */
  nextAvailable ({ isUrgent = false }: Pick<TakeOptions, 'isUrgent'> = {}): number | undefined {
    const times = this.entries.filter(entry => !entry.isInUse).map(entry => this.availableAt(entry, isUrgent))

    return times.length === 0 ? undefined : Math.min(...times)
  }

  private find (server: PooledServer): Entry | undefined {
    return this.entries.find(entry => entry === server)
  }

  private usedOrigins (except?: PooledServer): Set<STUNURI> {
    return new Set(this.entries.filter(entry => entry.isInUse && entry !== except).map(({ origin }) => origin))
  }

  private availableAt ({ restsUntil, spareUntil, origin }: Entry, isUrgent: boolean): number {
    return Math.max(restsUntil, isUrgent ? 0 : spareUntil, this.available.get(origin) ?? 0)
  }

  /**
   * Half of it at random, so that nodes that saw a server die do not come back in step
   */
  private backOff (before: number): number {
    return Math.min(BACK_OFF_MAX, BACK_OFF_MIN * Math.pow(2, before)) * (0.5 + this.random() / 2)
  }

  /**
   * Names may get other addresses: what is no endpoint any longer is forgotten
   */
  private setAlternatives (origin: STUNURI, endpoints: Endpoint[]): void {
    const wanted = new Map(endpoints.slice(0, MAX_ALTERNATIVES).map(endpoint => {
      const uri = `${origin.scheme}:${formatEndpoint(endpoint)}`

      return [uri, { ...origin, ...endpoint, uri }]
    }))

    for (const entry of this.entries.filter(entry => entry.origin === origin && entry.uri !== origin)) {
      if (!wanted.delete(entry.uri.uri) && !entry.isInUse) {
        this.entries.splice(this.entries.indexOf(entry), 1)
      }
    }

    for (const uri of wanted.values()) {
      if (!this.entries.some(entry => entry.uri.uri === uri.uri)) {
        this.entries.push(toEntry(uri, origin))
      }
    }
  }

  /**
   * What matters most comes first, the smallest is the best
   */
  private rank ({ failures, rejections, holdTime: { last }, uri, origin }: Entry, used: Set<STUNURI>): number[] {
    return [
      failures + rejections,
      last != null && last < this.minReconnectInterval ? 1 : 0,
      // two opinions of one operator are one
      used.has(origin) ? 1 : 0,
      uri === origin ? 0 : 1,
      -(last ?? 0)
    ]
  }
}

function toEntry (uri: STUNURI, origin: STUNURI): Entry {
  return { uri, origin, isInUse: false, restsUntil: 0, spareUntil: 0, failures: 0, rejections: 0, holdTime: {} }
}

function compare (a: number[], b: number[]): number {
  const i = a.findIndex((value, i) => value !== b[i])

  return i === -1 ? 0 : a[i] - b[i]
}
