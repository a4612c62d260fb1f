import { isSameEndpoint } from '../address/endpoint.ts'
import { isUnspecified } from '../address/scope.ts'
import { STUNConnectionError } from '../stun/errors.ts'
import { HeldConnection } from './held-connection.ts'
import { NetworkWatch } from './network-watch.ts'
import { otherEndpoints } from './other-endpoints.ts'
import { nextRenewal } from './rotation.ts'
import { ServerPool } from './server-pool.ts'
import type { HeldConnectionHost } from './held-connection.ts'
import type { Outcome, PooledServer, ServerPoolInit } from './server-pool.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { DNS } from '../runtime/dns.ts'
import type { Network } from '../runtime/network.ts'
import type { BindingResult } from '../stun/binding-result.ts'
import type { STUNClientInit } from '../stun/client.ts'
import type { Logger } from '@libp2p/interface'

/**
 * When no server may be connected to yet, look again after this many ms
 */
const RENEWAL_RETRY = 1_000

/**
 * Why a connection that held the mapping has another in its place:
 *
 * - `ahead`: its server would have ended it soon
 * - `ended`: its server did
 * - `failed`: it did not answer, or not as it should
 * - `moved`: its local address is not the one to reach the server from any more
 */
export type RenewalCause = 'ahead' | 'ended' | 'failed' | 'moved'

export interface ConnectionsInit extends ServerPoolInit {
  local: Endpoint
  tls?: STUNClientInit['tls']
  dns?: DNS
  network: Network
  clock: Clock
  log?: Logger
  signal: AbortSignal

  /**
   * How many to have
   */
  wanted(): number

  /**
   * Whether connections may be renewed now, or something else is under way
   */
  mayRenew(): boolean

  /**
   * A server answered. What this throws ends the connection.
   */
  onAnswer(held: HeldConnection, result: BindingResult): void

  /**
   * A connection is ended from this side, and what its server said does not count
   * any more
   */
  onDrop(held: HeldConnection): void

  /**
   * A connection has ended, `failure` says so when its server is to blame
   */
  onEnd(held: HeldConnection, failure?: Error): void

  /**
   * After each of these
   */
  onChange(): void

  /**
   * A connection that held the mapping is to have another in its place
   */
  onRenewal(cause: RenewalCause): void
}

/**
 * The connections that hold a mapping: as many as are wanted, to the servers
 * that may be asked, each replaced when it ends or, by a new one that is there
 * first, before it does
 */
export class Connections {
  private readonly init: ConnectionsInit
  private readonly pool: ServerPool
  private readonly host: HeldConnectionHost
  private readonly running = new Map<HeldConnection, Promise<void>>()
  private alarm?: { at: number, timer: Timer }
  private isAloneKnown = false

  constructor (init: ConnectionsInit) {
    this.init = init
    this.pool = new ServerPool(init)
    const { local, tls, dns, keepAliveInterval, clock, random } = init
    this.host = {
      local,
      tls,
      dns,
      keepAliveInterval,
      clock,
      random,
      isTaken: (held, endpoint) => [...this.running.keys()].some(other => other !== held && other.endpoint != null && isSameEndpoint(other.endpoint, endpoint)),
      onAnswer: (held, result) => { this.onAnswer(held, result) }
    }
  }

  /**
   * Connect, and keep at it until the signal is aborted
   */
  start (): void {
    const { network, clock, keepAliveInterval, local, log } = this.init

    // a listener on one address has no other to use
    if (isUnspecified(local.host)) {
      new NetworkWatch({
        network,
        clock,
        interval: keepAliveInterval,
        routes: () => this.held.map(held => ({ held, remote: held.endpoint, local: held.local })),
        onMoved: ({ held }, address) => {
          log?.('the way to %s leaves from %s now, not %s', held.server.uri.uri, address, held.local?.host)
          // what it said stays true until somebody says something else
          this.drop(other => other === held, 'moved')
        },
        onWake: ms => {
          log?.('slept for %d ms', ms)
          this.askAll()
          this.maintain()
        }
      }).start({ signal: this.init.signal })
    }

    this.maintain()
  }

  get size (): number {
    return this.running.size
  }

  /**
   * Those that are connected, and have answered
   */
  get held (): HeldConnection[] {
    return [...this.running.keys()].filter(({ since }) => since != null)
  }

  /**
   * The new connections of renewals, which come on top of those that are wanted
   */
  private replacements (): HeldConnection[] {
    return [...this.running.keys()].filter(({ replaces }) => replaces != null)
  }

  get isConnecting (): boolean {
    return this.held.length < this.running.size
  }

  /**
   * Connect to as many servers as are wanted and may be asked, and come back when
   * the next one may be
   */
  maintain (): void {
    if (this.init.signal.aborted) {
      return
    }

    this.alarm?.timer.clear()
    this.alarm = undefined

    while (this.running.size < this.init.wanted() + this.replacements().length) {
      const server = this.pool.take(this.init.clock.now())

      if (server == null) {
        const next = this.pool.nextAvailable()

        if (next != null) {
          this.wake(next)
        }

        break
      }

      this.open(server)
    }

    this.renew()
  }

  askAll (): void {
    this.running.forEach((_, held) => { held.askAgain() })
  }

  /**
   * End the spare ones: all but those to these servers
   */
  keepOnly (uris: string[]): void {
    this.drop(held => !uris.includes(held.server.uri.uri) && held.replaces == null)
  }

  /**
   * End the connections to a server that is not to be trusted: it rests as after
   * a failure
   */
  reject (uri: string): void {
    this.drop(held => {
      const isRejected = held.server.uri.uri === uri && !held.dropped

      if (isRejected) {
        this.pool.release(held.server, this.init.clock.now(), { type: 'failed' })
      }

      return isRejected
    })
  }

  /**
   * After the signal was aborted
   */
  async close (): Promise<void> {
    this.alarm?.timer.clear()
    this.running.forEach((_, held) => { held.drop() })
    await Promise.all(this.running.values())
  }

  private open (server: PooledServer): HeldConnection {
    const held = new HeldConnection(server, this.host)
    this.running.set(held, held.run().catch(err => { this.onEnd(held, err) }))

    return held
  }

  /**
   * Make before break: replace a connection ahead of its server's end, by one to
   * an endpoint that is free, or to the same one while another connection holds
   */
  private renew (): void {
    const { clock, log, mayRenew } = this.init
    const now = clock.now()
    const next = nextRenewal(this.held.map(held => ({ held, since: held.since ?? now, holdTime: this.pool.holdTime(held.server), chance: held.chance })))

    // one at a time
    if (next == null || this.isConnecting || !mayRenew()) {
      return
    }

    if (next.at > now) {
      this.wake(next.at)
      return
    }

    const { held } = next.connection
    const server = this.pool.take(now, held.server)

    if (server != null) {
      log?.('%s is to replace %s', server.uri.uri, held.server.uri.uri)
      this.open(server).replaces = held
    } else if (this.pool.mayReconnect(held.server, now)) {
      log?.('renewing the connection to %s', held.server.uri.uri)
      this.drop(other => other === held, 'ahead')
    } else {
      this.wake(now + RENEWAL_RETRY)
    }
  }

  private onAnswer (held: HeldConnection, result: BindingResult): void {
    // an answer that is no use throws, and has replaced nothing
    this.init.onAnswer(held, result)

    if (held.endpoint != null) {
      this.pool.answered(held.server, otherEndpoints(held.endpoint, held.endpoints, result))
    }

    const replaced = held.replaces

    if (replaced != null) {
      held.replaces = undefined
      this.drop(other => other === replaced, 'ahead')
    }

    this.init.onChange()
    this.maintain()
  }

  private onEnd (held: HeldConnection, err: Error): void {
    const { clock, log } = this.init
    const now = clock.now()
    let outcome: Outcome = { type: 'failed' }
    let failure: Error | undefined
    this.running.delete(held)
    // a new connection whose old one is gone is one like any other
    this.replacements().filter(({ replaces }) => replaces === held).forEach(other => { other.replaces = undefined })

    if (held.dropped) {
      outcome = { type: 'unused' }
    } else if (held.since != null && err instanceof STUNConnectionError) {
      // most servers hang up after a while: nothing to complain of
      outcome = { type: 'held', ms: now - held.since }
      log?.('%s ended the connection after %d ms', held.server.uri.uri, outcome.ms)
      this.init.onRenewal('ended')
    } else {
      failure = err

      if (held.since != null) {
        this.init.onRenewal('failed')
      }
    }

    this.pool.release(held.server, now, outcome)

    if (this.init.signal.aborted) {
      return
    }

    if (outcome.type === 'held' && this.pool.size === 1 && !this.isAloneKnown) {
      this.isAloneKnown = true
      log?.('%s ends connections and is the only server: the mapping is without a connection for a moment each time, add another server', held.server.uri.uri)
    }

    // if it ended because the mapping is gone, the others find out now
    if (outcome.type !== 'unused') {
      this.askAll()
    }

    this.init.onEnd(held, failure)
    this.maintain()
    this.init.onChange()
  }

  private drop (which: (held: HeldConnection) => boolean, cause?: RenewalCause): void {
    for (const held of [...this.running.keys()].filter(held => !held.dropped && which(held))) {
      held.drop()

      if (cause !== 'moved') {
        this.init.onDrop(held)
      }

      if (cause != null) {
        this.init.onRenewal(cause)
      }
    }
  }

  /**
   * Look again then, or sooner
   */
  private wake (at: number): void {
    const { clock } = this.init

    if (this.alarm == null || at < this.alarm.at) {
      this.alarm?.timer.clear()
      this.alarm = { at, timer: clock.setTimeout(() => { this.maintain() }, Math.max(1, at - clock.now())) }
    }
  }
}
