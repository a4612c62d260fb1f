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

export interface ServerPoolInit {
  servers: STUNURI[]

  /**
   * Least time between two connections to one server, in ms
   */
  serverInterval: number

  /**
   * A server that hangs up sooner than `serverInterval` is asked this often, in ms
   */
  keepAliveInterval: number

  random: Random
}

interface PooledServer {
  readonly uri: STUNURI
  inUse: boolean
  /** Not before this time, in ms since the epoch */
  available: number
  /** Failures in a row */
  failures: number
  /** How long its last connection was held, in ms */
  heldFor?: number
}

/**
 * How a connection to a server ended. `ms` is how long it was held; a `failed`
 * one gave no use and the server rests.
 */
export type Outcome = { type: 'held', ms: number } | { type: 'failed' } | { type: 'unused' }

/**
 * Which server to ask next: pure, it is told the time. Fair to public servers:
 * a server is left alone for `serverInterval` after each connection, and for
 * ever longer after each failure.
 */
export class ServerPool {
  private readonly servers: PooledServer[]
  private readonly serverInterval: number
  private readonly keepAliveInterval: number
  private readonly random: Random

  constructor (init: ServerPoolInit) {
    this.serverInterval = init.serverInterval
    this.keepAliveInterval = init.keepAliveInterval
    this.random = init.random
    this.servers = init.servers.map(uri => ({ uri, inUse: false, available: 0, failures: 0 }))
  }

  /**
   * The server to connect to now, or none. Untried servers come in the order
   * they were configured in; those that are known to hold long come before them
   * and those that hang up sooner than they may be asked again after them.
   */
  take (now: number): STUNURI | undefined {
    const [server] = this.servers
      .filter(server => !server.inUse && server.available <= now)
      .sort((a, b) => this.rank(b) - this.rank(a))

    if (server == null) {
      return
    }

    server.inUse = true
    server.available = now + this.serverInterval

    return server.uri
  }

  /**
   * The connection that `take` was called for ended
   */
  release (uri: STUNURI, now: number, outcome: Outcome): void {
    const server = this.servers.find(server => server.uri === uri)

    if (server == null) {
      return
    }

    server.inUse = false

    if (outcome.type === 'held') {
      server.failures = 0
      server.heldFor = outcome.ms

      // good to ask, not to hold
      if (outcome.ms < this.serverInterval) {
        server.available = Math.max(server.available, now + this.keepAliveInterval)
      }
    } else if (outcome.type === 'failed') {
      // half of it at random, so that nodes that saw a server die do not come back in step
      const backOff = Math.min(BACK_OFF_MAX, BACK_OFF_MIN * Math.pow(2, server.failures)) * (0.5 + this.random() / 2)
      server.failures++
      server.available = Math.max(server.available, now + backOff)
    }
  }

  /**
   * A server in use answered: it is well
   */
  answered (uri: STUNURI): void {
    const server = this.servers.find(server => server.uri === uri)

    if (server != null) {
      server.failures = 0
    }
  }

  /**
   * When `take` will have a server, in ms since the epoch; never while all are
   * in use
   */
  nextAvailable (): number | undefined {
    const times = this.servers.filter(server => !server.inUse).map(server => server.available)

    return times.length === 0 ? undefined : Math.min(...times)
  }

  private rank (server: PooledServer): number {
    if (server.failures > 0) {
      return -1 - server.failures
    }

    if (server.heldFor == null) {
      return 0
    }

    return server.heldFor < this.serverInterval ? -1 : server.heldFor
  }
}
