export const LOG_LEVELS = ['error', 'info', 'debug'] as const

export type LogLevel = typeof LOG_LEVELS[number]

export interface Log {
  /**
   * Something happened: in words for people, by name and with its details for
   * machines
   */
  (level: LogLevel, event: string, text: string, detail?: object): void
}

/**
 * Lines on standard output, with `json` one object a line
 */
export function createLog (level: LogLevel, json: boolean): Log {
  return (of, event, text, detail = {}) => {
    if (LOG_LEVELS.indexOf(of) <= LOG_LEVELS.indexOf(level)) {
      process.stdout.write(json ? `${JSON.stringify({ time: new Date().toISOString(), level: of, event, ...detail })}\n` : `${text}\n`)
    }
  }
}
