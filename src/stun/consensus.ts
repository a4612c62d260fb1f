/**
 * The mapped address that one endpoint of a STUN server reported
 */
export interface Observation {
  /**
   * The URI of the endpoint that was asked
   */
  server: string

  /**
   * The URI of the configured server that this endpoint belongs to. All endpoints
   * of one operator have one vote.
   */
  origin: string

  /**
   * The IP address that was asked
   */
  host: string

  /**
   * The mapped address, as a string to compare
   */
  external: string
}

/**
 * What observations mean together:
 *
 * - `none`: there are none
 * - `agreed`: one address has a majority. `dissenters` reported another one.
 * - `endpoint-dependent`: no address has a majority
 *
 * `behaviour` is known when two IP addresses were asked: RFC 5780 section 4.3
 * compares the mappings to different addresses.
 */
export type Consensus<T extends Observation = Observation> =
  | { verdict: 'none' }
  | {
    verdict: 'agreed'
    external: string
    behaviour: 'endpoint-independent' | 'unknown'
    supporters: T[]
    dissenters: T[]
  }
  | { verdict: 'endpoint-dependent'; observations: T[] }

/**
 * Find the address that a majority of servers reports
 */
export function findConsensus<T extends Observation> (observations: T[]): Consensus<T> {
  const [supporters, ...rest] = groupByExternal(observations)
  const dissenters = rest.flat()

  if (supporters == null) {
    return { verdict: 'none' }
  }

  // two ports of one host also agree behind address-dependent mapping
  const isMajority = countHosts(supporters) > 1 && countVotes(supporters) > Math.max(1, countVotes(dissenters))

  if (dissenters.length > 0 && !isMajority) {
    return { verdict: 'endpoint-dependent', observations }
  }

  return {
    verdict: 'agreed',
    external: supporters[0].external,
    behaviour: countHosts(supporters) > 1 ? 'endpoint-independent' : 'unknown',
    supporters,
    dissenters
  }
}

/**
 * The observations of each address, the address with the most votes first
 */
export function groupByExternal<T extends Observation> (observations: T[]): T[][] {
  return [...Map.groupBy(observations, ({ external }) => external).values()].sort(
    (a, b) => countVotes(b) - countVotes(a)
  )
}

/**
 * How many IP addresses were asked
 */
export function countHosts (observations: Observation[]): number {
  return new Set(observations.map(({ host }) => host)).size
}

/**
 * How many operators were asked
 */
export function countVotes (observations: Observation[]): number {
  return new Set(observations.map(({ origin }) => origin)).size
}
