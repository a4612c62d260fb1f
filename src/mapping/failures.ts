import { AllServersFailedError } from './errors.ts'
import type { ServerFailure } from './status.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '@libp2p/interface'

/**
 * Which servers fail, and why: said once in the log, kept until they answer
 */
export class Failures {
  private readonly failures = new Map<string, ServerFailure>()
  private readonly clock: Clock
  private readonly log?: Logger

  constructor (clock: Clock, log?: Logger) {
    this.clock = clock
    this.log = log
  }

  add (server: string, error: Error): void {
    // not every few seconds
    if (this.failures.get(server)?.error.message !== error.message) {
      this.log?.('STUN server %s failed - %s: %s', server, error.name, error.message)
    }

    this.failures.set(server, { server, error, time: this.clock.now() })
  }

  /**
   * The server answered
   */
  delete (server: string): void {
    this.failures.delete(server)
  }

  list (): ServerFailure[] {
    return [...this.failures.values()]
  }

  /**
   * Why there is no address: the error of the only server that fails, or all of
   * them
   */
  toError (): Error | undefined {
    const failures = this.list()

    if (failures.length < 2) {
      return failures[0]?.error
    }

    const errors = failures.map(({ error }) => error)

    return new AllServersFailedError(errors, `No STUN server can be used: ${failures.map(({ server, error }) => `${server}: ${error.message}`).join('; ')}`)
  }
}
