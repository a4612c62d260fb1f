import { AlreadyStartedError } from '@libp2p/interface'
import { jitter } from '../runtime/random.ts'
import { openClient } from '../stun/open-client.ts'
import { requestInterval } from './keep-alive.ts'
import type { PooledServer } from './server-pool.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import type { DNS } from '../runtime/dns.ts'
import type { Random } from '../runtime/random.ts'
import type { BindingResult } from '../stun/binding-result.ts'
import type { STUNClientInit } from '../stun/client-init.ts'
import type { STUNClient } from '../stun/client.ts'

/**
 * What all connections of a mapping have in common
 */
export interface HeldConnectionHost {
  /**
   * The local address and port to connect from
   */
  local: Endpoint
  tls?: STUNClientInit['tls']
  credential?: STUNClientInit['credential']
  dns?: DNS
  clock: Clock
  random: Random

  /**
   * The interval that requests are a multiple of, in ms
   */
  keepAliveInterval(): number

  /**
   * Whether another connection has this endpoint
   */
  isTaken(connection: HeldConnection, endpoint: Endpoint): boolean

  /**
   * The server has accepted the connection: is it to be asked?
   */
  isNeeded(connection: HeldConnection): boolean

  /**
   * The server answered. What this throws ends the connection.
   */
  onAnswer(connection: HeldConnection, result: BindingResult): void
}

interface Held {
  client: STUNClient
  endpoints: Endpoint[]
  since: number
  local: Endpoint
}

/**
 * - `connecting`: the controller ends it
 * - `asking`: a request is under way
 * - `resting`: nothing is asked until `wake` is called, or `end` with the reason
 */
type State =
  { name: 'connecting', controller: AbortController, endpoint?: Endpoint } |
  { name: 'asking' } & Held |
  { name: 'resting', wake(): void, end(reason: Error): void } & Held

/**
 * One connection that holds the mapping: opened, kept alive and asked until it ends
 */
export class HeldConnection {
  public readonly server: PooledServer

  /**
   * See `RotationEntry` of the rotation
   */
  public readonly chance: number

  /**
   * The connection that this one is to replace as soon as it has an answer
   */
  public replaces?: HeldConnection

  private readonly host: HeldConnectionHost
  private state: State = { name: 'connecting', controller: new AbortController() }
  private isDropped = false
  private isAsked = false
  private keptAliveEvery: number
  private begunAt = 0
  private answeredAt = 0

  constructor (server: PooledServer, host: HeldConnectionHost) {
    this.server = server
    this.host = host
    this.chance = host.random()
    this.keptAliveEvery = host.keepAliveInterval()
  }

  /**
   * Since when the server is connected and has answered, in ms by the clock
   */
  get since (): number | undefined {
    return this.state.name === 'connecting' ? undefined : this.state.since
  }

  /** For how long there was no request, in ms */
  get silence (): number {
    return this.host.clock.now() - this.answeredAt
  }

  /** How often it is kept alive, in ms */
  get interval (): number {
    return this.keptAliveEvery
  }

  /**
   * The address of the server that it is connected to, or connecting to
   */
  get endpoint (): Endpoint | undefined {
    return this.state.name === 'connecting' ? this.state.endpoint : this.state.client.server
  }

  /** All addresses that the server has, once it is connected */
  get endpoints (): Endpoint[] {
    return this.state.name === 'connecting' ? [] : this.state.endpoints
  }

  /** The local address and port, once it is connected */
  get local (): Endpoint | undefined {
    return this.state.name === 'connecting' ? undefined : this.state.local
  }

  /** When its SYN was sent, in ms by the clock */
  get begun (): number {
    return this.begunAt
  }

  /** Whether the server was sent a request */
  get asked (): boolean {
    return this.isAsked
  }

  /** Whether it was ended from this side */
  get dropped (): boolean {
    return this.isDropped
  }

  /**
   * Runs until the connection ends
   *
   * @throws why it ended
   */
  async run (): Promise<never> {
    const held = await this.open()
    const { client } = held

    try {
      while (true) {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        this.rest(held, resolve, reject)
        await promise
        this.state = { name: 'asking', ...held }
        this.onAnswer(await client.request())
      }
    } finally {
      client.close()
    }
  }

  /** Ask now, not when the interval is over */
  askAgain (): void {
    if (this.state.name === 'resting') {
      this.state.wake()
    }
  }

  /** Keep the connection alive so often from now on, in ms */
  keepAliveEvery (interval: number): void {
    if (this.state.name !== 'connecting' && interval !== this.keptAliveEvery) {
      this.keptAliveEvery = interval
      this.state.client.setKeepAlive(interval)
    }
  }

  /**
   * End it
   */
  drop (): void {
    this.isDropped = true

    if (this.state.name === 'connecting') {
      this.state.controller.abort()
    } else {
      this.state.client.close()
    }
  }

  /**
   * Apart from `run`, which would keep all of its variables for hours
   */
  private async open (): Promise<Held> {
    const { server, host, state } = this

    if (state.name !== 'connecting') {
      throw new AlreadyStartedError('A HeldConnection runs once')
    }

    const { signal } = state.controller
    const { client, result, endpoints } = await openClient(server.uri, {
      local: host.local,
      dns: host.dns,
      random: host.random,
      clock: host.clock,
      // an alternative is known by its address only, its certificate by the name
      tls: { servername: server.origin.host, ...host.tls },
      credential: host.credential,
      keepAlive: this.keptAliveEvery,
      claim: endpoint => this.claim(endpoint),
      onConnect: () => { this.onConnect() },
      signal
    })
    const held = { client, endpoints, since: host.clock.now(), local: result.local }
    this.state = { name: 'asking', ...held }
    client.addEventListener('close', ({ detail }) => { this.interrupt(detail) })

    try {
      // given up with the very data that the answer came in
      signal.throwIfAborted()
      this.onAnswer(result)
    } catch (err) {
      client.close()
      throw err
    }

    return held
  }

  private onAnswer (result: BindingResult): void {
    this.answeredAt = this.host.clock.now()
    this.host.onAnswer(this, result)
  }

  private claim (endpoint: Endpoint): boolean {
    if (this.host.isTaken(this, endpoint)) {
      return false
    }

    if (this.state.name === 'connecting') {
      this.state.endpoint = endpoint
      this.begunAt = this.host.clock.now()
    }

    return true
  }

  private onConnect (): void {
    if (this.host.isNeeded(this)) {
      this.isAsked = true
    } else {
      this.drop()
    }
  }

  private rest (held: Held, resolve: () => void, reject: (reason: Error) => void): void {
    const { clock, random, keepAliveInterval } = this.host
    const timer = clock.setTimeout(resolve, jitter(requestInterval(keepAliveInterval()), random))
    this.state = {
      name: 'resting',
      ...held,
      wake: () => {
        timer.clear()
        resolve()
      },
      end: reason => {
        timer.clear()
        reject(reason)
      }
    }

    // it may have ended with the very data that the answer came in
    if (held.client.endReason != null) {
      this.interrupt(held.client.endReason)
    }
  }

  private interrupt (reason: Error): void {
    if (this.state.name === 'resting') {
      this.state.end(reason)
    }
  }
}
