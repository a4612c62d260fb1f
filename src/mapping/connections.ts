import { EventEmitter } from 'node:events'
import { isUnspecified } from '../address/scope.ts'
import { Alarm } from '../runtime/alarm.ts'
import { toExternalAddress } from '../stun/external-address.ts'
import { otherEndpoints } from '../stun/other-endpoints.ts'
import { bindOnce } from './bind-once.ts'
import { ConnectionSet } from './connection-set.ts'
import { HeldConnection } from './held-connection.ts'
import { NetworkWatch } from './network-watch.ts'
import { failureOf, outcomeOf } from './outcome.ts'
import { Race } from './race.ts'
import { nextRenewal } from './rotation.ts'
import { ServerPool } from './server-pool.ts'
import type { BindOnceOptions } from './bind-once.ts'
import type { ConnectionsEvents, ConnectionsInit } from './connections-init.ts'
import type { HeldConnectionHost } from './held-connection.ts'
import type { PortSample } from './port-samples.ts'
import type { PooledServer } from './server-pool.ts'
import type { RenewalCause, Target } from './target.ts'
import type { BindingResult } from '../stun/binding-result.ts'

/** When no server may be connected to yet, look again after this many ms */
const RENEWAL_RETRY = 1_000

/**
 * The connections that hold a mapping. They approach the `target`: one that ends
 * is replaced, by a new one that is there first where the end can be foreseen.
 */
export class Connections extends EventEmitter<ConnectionsEvents> {
  private readonly init: ConnectionsInit
  private readonly pool: ServerPool
  private readonly host: HeldConnectionHost
  private readonly all = new ConnectionSet()
  private target: Target
  private readonly alarm: Alarm
  private readonly race: Race
  private isAloneKnown = false

  constructor (init: ConnectionsInit) {
    super()

    const { servers, minReconnectInterval, keepAliveInterval, local, tls, credential, dns, clock, random } = init
    this.init = init
    this.target = init.target
    this.alarm = new Alarm(clock, () => { this.maintain() })
    this.race = new Race(this.all, clock, () => { this.maintain() })
    this.pool = new ServerPool({ servers, minReconnectInterval, keepAliveInterval, random })
    this.host = {
      local,
      tls,
      credential,
      dns,
      clock,
      random,
      keepAliveInterval: () => this.target.keepAliveInterval,
      isTaken: (connection, endpoint) => this.all.isTaken(connection, endpoint),
      isNeeded: connection => this.race.isNeeded(connection, this.target.wanted),
      onAnswer: (connection, result) => { this.onAnswer(connection, result) }
    }
  }

  /** Connect, and keep at it until the signal is aborted */
  start (): void {
    const { network, clock, keepAliveInterval, local, log, signal } = this.init

    // a listener on one address has no other to use
    if (isUnspecified(local.host)) {
      new NetworkWatch({
        network,
        clock,
        interval: keepAliveInterval,
        routes: () =>
          this.all.held().map(connection => ({ connection, remote: connection.endpoint, local: connection.local })),
        onMoved: ({ connection }, address) => {
          log?.(
            'the route to %s leaves from %s now, not %s',
            connection.server.uri.uri,
            address,
            connection.local?.host
          )
          this.drop(connection, 'moved')
        },
        onWake: ms => { this.onWake(ms) }
      }).start({ signal })
    }

    this.race.start()
    this.maintain()
  }

  get size (): number { return this.all.size }

  /** How many have no answer yet */
  get connecting (): number { return this.all.connecting }

  /** How many more servers could give an answer now */
  get askable (): number {
    return this.pool.askable(this.init.clock.now()) + this.connecting
  }

  /** Approach this target from now on */
  aim (target: Target): void {
    const isShorter = target.keepAliveInterval < this.target.keepAliveInterval
    this.target = target

    this.all.held().forEach((connection, i) => {
      connection.keepAliveEvery(i === 0 ? target.keepAliveInterval : target.othersInterval)

      if (isShorter) {
        connection.askAgain()
      }
    })

    if (!target.isUrgent) {
      this.race.end().forEach(connection => { this.drop(connection) })
    }

    this.maintain()
  }

  /** End the spare ones: all that have answered, but for these */
  keepOnly (connections: HeldConnection[]): void {
    this.all.held().filter(connection => !connections.includes(connection))
      .forEach(connection => { this.drop(connection) })
  }

  /** End the connection to a server whose answer was outvoted */
  reject (connection: HeldConnection): void {
    if (!connection.dropped) {
      this.pool.release(connection.server, this.init.clock.now(), { type: 'rejected' })
      this.drop(connection)
    }
  }

  /** The answer on this connection counts */
  accept (connection: HeldConnection): void {
    this.pool.accepted(connection.server)
  }

  /** One Binding from a fresh local port */
  async bindOnce (options?: BindOnceOptions): Promise<PortSample> {
    return bindOnce(this.pool, this.init, options)
  }

  /** After the signal was aborted */
  async close (): Promise<void> {
    this.alarm.clear()
    this.race.end()
    await this.all.close()
  }

  /** Connect to as many servers as are wanted and may be asked, and come back when the next one may be */
  private maintain (): void {
    if (this.init.signal.aborted) {
      return
    }

    this.alarm.clear()
    const { wanted, isUrgent } = this.target

    while (this.all.size < this.race.limit(wanted + this.all.replacements().length)) {
      const server = this.pool.take(this.init.clock.now(), { isUrgent })

      if (server == null) {
        this.alarm.set(this.pool.nextAvailable({ isUrgent }))
        break
      }

      this.open(server)
    }

    this.renew()
  }

  private open (server: PooledServer): HeldConnection {
    const connection = new HeldConnection(server, this.host)
    this.all.run(connection, err => { this.onEnd(connection, err) })

    return connection
  }

  /**
   * Make before break: replace a connection ahead of its server's end, by one to
   * an endpoint that is free, or to the same one while another connection holds
   */
  private renew (): void {
    const { clock, log } = this.init
    const now = clock.now()
    const next = nextRenewal(this.all.held().map(connection => ({
      connection,
      since: connection.since ?? now,
      holdTime: this.pool.holdTime(connection.server),
      chance: connection.chance
    })))

    // one at a time
    if (next == null || this.connecting > 0 || !this.target.mayRenew) {
      return
    }

    if (next.at > now) {
      this.alarm.set(next.at)
      return
    }

    const { connection } = next.connection
    const server = this.pool.take(now, { replaced: connection.server })

    if (server != null) {
      log?.trace('%s is to replace %s', server.uri.uri, connection.server.uri.uri)
      this.open(server).replaces = connection
    } else if (this.pool.mayReconnect(connection.server, now)) {
      log?.trace('renewing the connection to %s', connection.server.uri.uri)
      this.drop(connection, 'ahead')
    } else {
      this.alarm.set(now + RENEWAL_RETRY)
    }
  }

  /** @throws {InvalidMappedAddressError} no peer could use the address */
  private onAnswer (connection: HeldConnection, result: BindingResult): void {
    const { server, endpoint, endpoints, replaces } = connection
    const external = toExternalAddress(result.mapped, {
      allowPrivate: this.init.allowPrivateMapping,
      local: result.local
    })

    if (endpoint != null) {
      this.pool.answered(server, otherEndpoints(endpoint, endpoints, result))
    }

    if (replaces != null) {
      connection.replaces = undefined
      this.drop(replaces, 'ahead')
    }

    this.emit('answer', { connection, result, external })
  }

  private onEnd (connection: HeldConnection, err: Error): void {
    const { clock, log, local, signal } = this.init
    const { server, since, dropped } = connection
    const outcome = outcomeOf(connection, err, clock.now())
    this.all.delete(connection)
    this.pool.release(server, clock.now(), outcome)

    if (signal.aborted) {
      return
    }

    if (outcome.type === 'held') {
      log?.trace('%s ended the connection after %d ms', server.uri.uri, outcome.ms)

      if (this.pool.size === 1 && !this.isAloneKnown) {
        this.isAloneKnown = true
        log?.(
          '%s ends connections and is the only server: each time, no connection holds the mapping for a moment. Add ' +
            'another server',
          server.uri.uri
        )
      }
    }

    if (!dropped) {
      if (since != null) {
        this.emit('renewal', outcome.type === 'held' ? 'ended' : 'failed')
      }

      // if it ended because the mapping is gone, the others find out now
      this.all.askAgain()
    }

    this.emit('end', { connection, failure: failureOf(outcome, err, server.uri.uri, local) })
  }

  private onWake (ms: number): void {
    this.init.log?.('the machine slept for %d ms, asking all servers again', ms)
    this.all.askAgain()
    this.maintain()
  }

  private drop (connection: HeldConnection, cause?: RenewalCause): void {
    if (connection.dropped) {
      return
    }

    connection.drop()

    // what it said stays true until another connection says something else
    if (cause !== 'moved') {
      this.emit('drop', connection)
    }

    if (cause != null) {
      this.emit('renewal', cause)
    }
  }
}
