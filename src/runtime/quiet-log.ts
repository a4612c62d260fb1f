import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import type { Logger } from '@libp2p/interface'

const HOUR = 3_600_000

/**
 * How many lines a limited log has within an hour
 */
export const LINES_AN_HOUR = 15

/**
 * Logs so many lines within an hour, and the others in `:trace`.
 *
 * Outside `:trace` the log tells what happens to this node: its addresses, its servers,
 * its port. What happens with single peers, of which there may be thousands, is in
 * `:trace`, or limited by this.
 */
export function limitedLog (log: Logger, clock: Clock = systemClock): Logger {
  const times: number[] = []

  const limited = (formatter: any, ...args: any[]): void => {
    const now = clock.now()

    if (times.length === LINES_AN_HOUR && now - times[0] < HOUR) {
      log.trace(formatter, ...args)
      return
    }

    if (times.push(now) > LINES_AN_HOUR) {
      times.shift()
    }

    log(formatter, ...args)
  }

  return Object.assign(limited, {
    enabled: log.enabled,
    trace: (formatter: any, ...args: any[]) => { log.trace(formatter, ...args) },
    error: (formatter: any, ...args: any[]) => { log.error(formatter, ...args) },
    newScope: (name: string) => log.newScope(name)
  })
}
