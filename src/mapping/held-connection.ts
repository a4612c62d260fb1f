import { AlreadyStartedError } from '@libp2p/interface'
import { jitter } from '../runtime/random.ts'
import { openClient } from '../stun/open-client.ts'
import { requestInterval } from './keep-alive.ts'
import type { PooledServer } from './server-pool.ts'
import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { BindingResult } from '../stun/binding-result.ts'
import type { STUNClient } from '../stun/client.ts'
import type { OpenClientInit } from '../stun/open-client.ts'

/**
 * What all connections of a mapping have in common
 */
export interface HeldConnectionHost extends Omit<OpenClientInit, 'signal' | 'keepAlive' | 'claim'> {
  keepAliveInterval: number
  clock: Clock
  random: Random

  /**
   * Whether another connection has this endpoint
   */
  isTaken(held: HeldConnection, endpoint: Endpoint): boolean

  /**
   * The server answered. What this throws ends the connection.
   */
  onAnswer(held: HeldConnection, result: BindingResult): void
}

interface Held {
  binding: STUNClient
  endpoints: Endpoint[]
  since: number
  local: Endpoint
}

/**
 * - `connecting`: the controller ends it
 * - `held`: asked, and not answered yet
 * - `resting`: nothing is asked until `wake` is called, or `end` with what ends it
 */
type State =
  { name: 'connecting', controller: AbortController, endpoint?: Endpoint } |
  { name: 'held' } & Held |
  { name: 'resting', wake(): void, end(reason: Error): void } & Held

/**
 * One connection that holds the mapping: opened, kept alive and asked until it
 * ends
 */
export class HeldConnection {
  public readonly server: PooledServer

  /**
   * See `RotationEntry` of the rotation
   */
  public readonly chance: number

  /**
   * The connection that this one is to replace, once it is there
   */
  public replaces?: HeldConnection

  private readonly host: HeldConnectionHost
  private state: State = { name: 'connecting', controller: new AbortController() }
  private isDropped = false

  constructor (server: PooledServer, host: HeldConnectionHost) {
    this.server = server
    this.host = host
    this.chance = host.random()
  }

  /**
   * Since when the server is connected and has answered, in ms by the clock
   */
  get since (): number | undefined {
    return this.state.name === 'connecting' ? undefined : this.state.since
  }

  /**
   * The address of the server it is connected to, or connecting
   */
  get endpoint (): Endpoint | undefined {
    return this.state.name === 'connecting' ? this.state.endpoint : this.state.binding.server
  }

  /**
   * The addresses that the server has, once it is connected
   */
  get endpoints (): Endpoint[] {
    return this.state.name === 'connecting' ? [] : this.state.endpoints
  }

  /**
   * The local address and port, once it is connected
   */
  get local (): Endpoint | undefined {
    return this.state.name === 'connecting' ? undefined : this.state.local
  }

  /**
   * Whether it was ended from this side
   */
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
    const { binding } = held

    try {
      while (true) {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        this.rest(held, resolve, reject)
        await promise
        this.state = { name: 'held', ...held }
        this.host.onAnswer(this, await binding.request())
      }
    } finally {
      binding.close()
    }
  }

  /**
   * Ask now, not when the interval is over
   */
  askAgain (): void {
    if (this.state.name === 'resting') {
      this.state.wake()
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
      this.state.binding.close()
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
    const { binding, result, endpoints } = await openClient(server.uri, {
      ...host,
      // an alternative is known by its address only, its certificate by the name
      tls: { servername: server.origin.host, ...host.tls },
      keepAlive: host.keepAliveInterval,
      claim: endpoint => this.claim(endpoint),
      signal
    })
    const held = { binding, endpoints, since: host.clock.now(), local: result.local }
    this.state = { name: 'held', ...held }
    binding.addEventListener('close', ({ detail }) => { this.interrupt(detail) })

    try {
      // given up with the very data that the answer came in
      signal.throwIfAborted()
      host.onAnswer(this, result)
    } catch (err) {
      binding.close()
      throw err
    }

    return held
  }

  private claim (endpoint: Endpoint): boolean {
    if (this.host.isTaken(this, endpoint)) {
      return false
    }

    if (this.state.name === 'connecting') {
      this.state.endpoint = endpoint
    }

    return true
  }

  private rest (held: Held, resolve: () => void, reject: (reason: Error) => void): void {
    const { clock, random, keepAliveInterval } = this.host
    const timer = clock.setTimeout(resolve, jitter(requestInterval(keepAliveInterval), random))
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
    if (held.binding.endReason != null) {
      this.interrupt(held.binding.endReason)
    }
  }

  private interrupt (reason: Error): void {
    if (this.state.name === 'resting') {
      this.state.end(reason)
    }
  }
}
