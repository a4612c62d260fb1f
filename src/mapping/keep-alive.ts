/**
 * One of this many keep-alives is a Binding request, the others are TCP
 * keep-alive probes that the kernel sends. A probe refreshes the NAT's mapping and
 * detects a mapping that is gone, at less than half the bytes. With a request
 * every third time, two connections at the defaults would cost more than 20
 * bytes/s. A request cannot report anything new, because the address of a TCP
 * connection never changes. It detects a hung server process whose kernel still
 * answers.
 */
const KEEP_ALIVES_PER_REQUEST = 6

/**
 * The connection that is held longest is kept alive at the interval. The others are there
 * for when it ends: they are kept alive this many times as rarely, until one turns out to
 * be forgotten by the NAT. With the default of 15 s that is within the minute that home
 * routers take. With both at the interval the traffic would be two fifths more.
 */
const OTHERS_FACTOR = 3

/**
 * The kernel counts TCP keep-alive times in whole seconds
 */
const MIN_TCP_KEEP_ALIVE = 1_000

/**
 * How often a held connection carries a Binding request when it is kept alive
 * every `keepAliveInterval` ms: every sixth time, or every time below one second,
 * where the kernel sends no probes. A server that closes idle connections sooner
 * than this cannot hold a mapping for long.
 *
 * @returns ms
 */
export function requestInterval (keepAliveInterval: number): number {
  return keepAliveInterval < MIN_TCP_KEEP_ALIVE ? keepAliveInterval : KEEP_ALIVES_PER_REQUEST * keepAliveInterval
}

/**
 * No evidence shortens the interval below this, in ms
 */
const MIN_INTERVAL = 5_000

/**
 * A connection that ends within this time after a probe was due was ended by it,
 * in ms: ten lost probes, one second apart, and the kernel's rounding
 */
const PROBE_TIME = 12_000

/**
 * Another address within this time has to do with the end of a connection, in ms
 */
const SUSPICION = 60_000

/**
 * After this long without evidence a longer interval is tried, in ms. Doubled each
 * time that this turns out to be too long.
 */
const PATIENCE_MIN = 3_600_000
const PATIENCE_MAX = 24 * 3_600_000

/**
 * How often connections are kept alive, and why. Times are by the monotonic clock
 * in ms. Never mutated.
 */
export interface KeepAlive {
  /**
   * The interval that the user wants, in ms
   */
  configured: number

  /**
   * The interval in use, in ms
   */
  interval: number

  /**
   * How many times as rarely the others are kept alive
   */
  othersFactor: number
  changedAt: number
  patience: number

  /**
   * Whether the last change made the interval longer
   */
  isTrial: boolean

  /**
   * A connection that ended at its first probe
   */
  suspect?: { external: string, endedAt: number }
}

export function initialKeepAlive (configured: number): KeepAlive {
  return {
    configured,
    interval: configured,
    othersFactor: OTHERS_FACTOR,
    changedAt: 0,
    patience: PATIENCE_MIN,
    isTrial: false
  }
}

/**
 * How often the connection that is held longest is kept alive, and how often the others, in
 * ms
 */
export function intervals (
  { interval, othersFactor }: KeepAlive
): { keepAliveInterval: number, othersInterval: number } {
  return { keepAliveInterval: interval, othersInterval: interval * othersFactor }
}

interface EndedConnection {
  external: string

  /**
   * For how long there was no request, in ms
   */
  silence: number

  /**
   * How often it was kept alive, in ms
   */
  interval: number
}

/**
 * A connection ended by itself. When that was at its first probe, the NAT may have
 * forgotten the mapping; when only a longer interval was too long, that one is not used
 * any more.
 */
export function afterEnd (
  state: KeepAlive, { external, silence, interval }: EndedConnection, now: number
): KeepAlive {
  const isFirstProbe = silence >= interval * 0.9 && silence <= interval + PROBE_TIME

  if (!isFirstProbe) {
    return state
  }

  return interval > state.interval ? { ...state, othersFactor: 1 } : { ...state, suspect: { external, endedAt: now } }
}

/**
 * A server reported an address. When it is another one than that of a connection
 * that just ended at its first probe, the NAT has forgotten the mapping before the
 * probe: the interval is halved.
 */
export function afterAnswer (state: KeepAlive, external: string, now: number): KeepAlive {
  const { suspect, interval, isTrial, patience } = state

  if (suspect == null) {
    return state
  }

  if (suspect.external === external || now - suspect.endedAt > SUSPICION) {
    return { ...state, suspect: undefined }
  }

  return {
    ...state,
    suspect: undefined,
    interval: Math.min(interval, Math.max(MIN_INTERVAL, interval / 2)),
    changedAt: now,
    patience: isTrial ? Math.min(PATIENCE_MAX, 2 * patience) : patience,
    isTrial: false
  }
}

/**
 * Double a shortened interval when nothing was forgotten for long
 */
export function afterQuiet (state: KeepAlive, now: number): KeepAlive {
  const { configured, interval } = state

  return interval < configured && now >= relaxesAt(state)
    ? { ...state, interval: Math.min(configured, 2 * interval), changedAt: now, isTrial: true }
    : state
}

/**
 * When a longer interval is tried, nothing when the interval is as configured
 */
export function nextRelaxation (state: KeepAlive): number | undefined {
  return state.interval < state.configured ? relaxesAt(state) : undefined
}

function relaxesAt ({ changedAt, patience }: KeepAlive): number {
  return changedAt + patience
}
