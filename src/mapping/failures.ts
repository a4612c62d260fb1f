import { AllServersFailedError } from './errors.ts'
import type { ServerFailure } from './status.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '@libp2p/interface'

/**
 * The servers that fail, and why. Each is logged once and kept until it answers.
 */
export class Failures {
  private failures: ServerFailure[] = []
  private readonly clock: Clock
  private readonly log?: Logger

  constructor (clock: Clock, log?: Logger) {
    this.clock = clock
    this.log = log
  }

  add (server: string, error: Error): void {
    const failure = { server, error, time: this.clock.date() }
    const known = this.failures.findIndex(failure => failure.server === server)

    // a server that is down is not logged again every few seconds
    if (this.failures[known]?.error.message !== error.message) {
      this.log?.('STUN server %s failed - %s: %s', server, error.name, error.message)
    }

    this.failures = known === -1 ? [...this.failures, failure] : this.failures.with(known, failure)
  }

  /**
   * The server answered
   */
  delete (server: string): void {
    this.failures = this.failures.filter(failure => failure.server !== server)
  }

  list (): ServerFailure[] {
    return this.failures
  }

  /**
   * Why there is no address: the error of the only server that fails, or those of all
   */
  toError (): Error | undefined {
    const failures = this.list()

    if (failures.length < 2) {
      return failures[0]?.error
    }

    const errors = failures.map(({ error }) => error)

    return new AllServersFailedError(
      errors,
      `No STUN server can be used: ${failures.map(({ server, error }) => `${server}: ${error.message}`).join('; ')}`
    )
  }
}
