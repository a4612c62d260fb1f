import { anySignal } from 'any-signal'
import { raceSignal } from 'race-signal'
import { jitter } from '../runtime/random.ts'
import { formatEndpoint } from '../stun/endpoint.ts'
import { openBinding } from '../stun/open-binding.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { BindingResult } from '../stun/binding-result.ts'
import type { Binding } from '../stun/binding.ts'
import type { Endpoint } from '../stun/endpoint.ts'
import type { OpenBindingInit } from '../stun/open-binding.ts'
import type { STUNURI } from '../stun/uri.ts'

export interface HeldBindingInit extends Omit<OpenBindingInit, 'signal'> {
  uri: STUNURI
  keepAliveInterval: number
  clock: Clock
  random: Random

  /**
   * Ends the connection
   */
  signal: AbortSignal

  /**
   * The server answered. What this throws ends the connection.
   */
  onAnswer(held: HeldBinding, result: BindingResult): void
}

type State =
  { name: 'connecting' } |
  { name: 'held', binding: Binding, since: number } |
  { name: 'resting', binding: Binding, since: number, wake(): void }

/**
 * One connection that holds the mapping: opened, asked once every interval
 * until it ends
 */
export class HeldBinding {
  public readonly uri: STUNURI
  private readonly init: HeldBindingInit
  private readonly controller = new AbortController()
  private state: State = { name: 'connecting' }

  constructor (init: HeldBindingInit) {
    this.init = init
    this.uri = init.uri
  }

  /**
   * Since when the server is connected and has answered, in ms since the epoch
   */
  get since (): number | undefined {
    return this.state.name === 'connecting' ? undefined : this.state.since
  }

  /**
   * The address of the server it is connected to
   */
  get server (): Endpoint | undefined {
    return this.state.name === 'connecting' ? undefined : this.state.binding.server
  }

  /**
   * Whether it was ended from this side
   */
  get dropped (): boolean {
    return this.controller.signal.aborted || this.init.signal.aborted
  }

  /**
   * Runs until the connection ends
   *
   * @throws why it ended
   */
  async run (): Promise<never> {
    const { uri, clock, onAnswer } = this.init
    const signal = anySignal([this.controller.signal, this.init.signal])

    try {
      const { binding, result } = await openBinding(uri, { ...this.init, signal })
      const since = clock.now()
      this.state = { name: 'held', binding, since }

      try {
        onAnswer(this, result)

        while (true) {
          await this.rest(binding, since, signal)
          this.state = { name: 'held', binding, since }
          onAnswer(this, await binding.request({ signal }))
        }
      } finally {
        binding.close()
      }
    } finally {
      signal.clear()
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
    this.controller.abort()
  }

  isConnectedTo (endpoint: Endpoint): boolean {
    return this.server != null && formatEndpoint(this.server) === formatEndpoint(endpoint)
  }

  private async rest (binding: Binding, since: number, signal: AbortSignal): Promise<void> {
    const { clock, random, keepAliveInterval } = this.init
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onClose = (event: CustomEvent<Error>): void => { reject(event.detail) }
    const timer = clock.setTimeout(resolve, jitter(keepAliveInterval, random))
    this.state = { name: 'resting', binding, since, wake: resolve }
    binding.addEventListener('close', onClose)

    // it may have ended with the very data that the answer came in
    if (binding.endReason != null) {
      reject(binding.endReason)
    }

    try {
      await raceSignal(promise, signal)
    } finally {
      timer.clear()
      binding.removeEventListener('close', onClose)
    }
  }
}
