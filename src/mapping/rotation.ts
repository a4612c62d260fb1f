/**
 * A connection is replaced after this fraction of its server's hold time: late enough
 * to be worthwhile, early enough for a second try
 */
const EARLIEST = 0.6
const LATEST = 0.8

/**
 * A connection that holds the mapping
 */
export interface RotationEntry {
  /**
   * When it was made, ms by the clock
   */
  since: number

  /**
   * How long its server keeps a connection, in ms. Not known for a server that was
   * never seen to end one.
   */
  holdTime?: number

  /**
   * From 0 to 1, drawn once for each connection, so that renewals do not coincide
   */
  chance: number
}

/**
 * The connection to replace next, and when (ms by the clock): ahead of its
 * server's end, so that the mapping is never without a connection. Never one whose
 * server has not been seen to close any, and never the last one.
 */
export function nextRenewal<T extends RotationEntry> (held: T[]): { connection: T, at: number } | undefined {
  if (held.length < 2) {
    return
  }

  let next: { connection: T, at: number } | undefined

  for (const connection of held) {
    if (connection.holdTime == null) {
      continue
    }

    const at = connection.since + connection.holdTime * (EARLIEST + (LATEST - EARLIEST) * connection.chance)

    if (next == null || at < next.at) {
      next = { connection, at }
    }
  }

  return next
}
