import { STUNResolveError } from '../stun/errors.ts'
import { AllServersFailedError } from './errors.ts'
import type { ServerFailure } from './status.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '@libp2p/interface'

/**
 * A server that fails now and then is logged again after this time, in ms
 */
const LOG_INTERVAL = 3_600_000

/**
 * The servers that fail, and why. Each is kept until it answers, and logged once an hour
 * at most for each kind of error.
 */
export class Failures {
  private failures: ServerFailure[] = []
  private readonly clock: Clock
  private readonly log?: Logger

  /**
   * Not before there is one: most servers never fail
   */
  private logged?: Map<string, number>

  constructor (clock: Clock, log?: Logger) {
    this.clock = clock
    this.log = log
  }

  add (server: string, error: Error): void {
    const failure = { server, error, time: this.clock.date() }
    const known = this.failures.findIndex(failure => failure.server === server)
    const isNews = this.failures[known]?.error.name !== error.name && this.isDue(`${server} ${error.name}`)
    const log = isNews ? this.log : this.log?.trace
    log?.('STUN server %s failed - %s: %s', server, error.name, error.message)

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

    return new AllServersFailedError(
      failures.map(({ error }) => error),
      `No STUN server can be used: ${reasons(failures).join('; ')}`
    )
  }

  private isDue (what: string): boolean {
    const now = this.clock.now()
    const isDue = now - (this.logged?.get(what) ?? -Infinity) >= LOG_INTERVAL

    if (isDue) {
      this.logged ??= new Map()
      this.logged.set(what, now)
    }

    return isDue
  }
}

/**
 * What failed, a server each. Names that could not be resolved have one cause mostly, and are
 * one reason.
 */
function reasons (failures: ServerFailure[]): string[] {
  const unresolved = failures.filter(({ error }) => error instanceof STUNResolveError)
  const shared = unresolved.length > 1 ? unresolved : []
  const codes = new Set(shared.map(({ error }) => (error.cause as any)?.code ?? 'no address'))
  const each = failures.filter(failure => !shared.includes(failure))
    .map(({ server, error }) => error.message.includes(server) ? error.message : `${server}: ${error.message}`)

  return shared.length === 0
    ? each
    : [`the names of ${shared.length} servers could not be resolved (${[...codes].join(', ')})`, ...each]
}
