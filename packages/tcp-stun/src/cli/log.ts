export const LOG_LEVELS = ['error', 'info', 'debug'] as const

export type LogLevel = typeof LOG_LEVELS[number]

export interface Log {
  /**
   * Log an event: a text for people, or its name and its details for machines
   */
  (level: LogLevel, event: string, text: string, detail?: object): void
}

/**
 * Write lines to standard output, with `json` one object a line. When its reader
 * goes away, a service goes on without a log.
 */
export function createLog (level: LogLevel, json: boolean): Log {
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})

  return (of, event, text, detail = {}) => {
    if (LOG_LEVELS.indexOf(of) <= LOG_LEVELS.indexOf(level) && process.stdout.writable) {
      process.stdout.write(
        json ? `${JSON.stringify({ time: new Date().toISOString(), level: of, event, ...detail })}\n` : `${text}\n`
      )
    }
  }
}
