import type { Clock, Timer } from 'libp2p-tcp-stun/mapping'

/**
 * One for all streams: an error takes longer to make than all the rest of an end
 */
const ENDED = new Error('The stream has ended')

/**
 * How long the steps of one stream may take. One signal serves all of them: a signal for each
 * step would cost as much as the answer to a request.
 */
export class StreamDeadline {
  private readonly clock: Clock
  private readonly controller = new AbortController()
  private timer?: Timer

  /**
   * @param clock - the source of time
   */
  constructor (clock: Clock) {
    this.clock = clock
  }

  get signal (): AbortSignal {
    return this.controller.signal
  }

  /**
   * Run a step that uses the signal. The signal aborts with an error of this text if the step
   * takes longer than `ms`.
   */
  async limit<T> (ms: number, text: string, step: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    this.timer = this.clock.setTimeout(() => { this.controller.abort(new Error(text)) }, ms)

    try {
      return await step()
    } finally {
      this.timer.clear()
    }
  }

  /**
   * The stream has ended
   */
  readonly end = (): void => { this.abort(ENDED) }

  /**
   * End the stream
   */
  abort (reason: Error): void {
    this.timer?.clear()
    this.controller.abort(reason)
  }
}
