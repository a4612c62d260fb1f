/**
 * The last answer of one server
 */
export interface Observation {
  /**
   * The server's URI
   */
  server: string

  /**
   * The URI of the server that was configured, of which it may be another
   * endpoint: what one operator says counts once
   */
  origin: string

  /**
   * The IP address the server was asked at
   */
  host: string

  /**
   * The mapped address, as a string to compare
   */
  external: string

  /**
   * When the server answered, ms by the clock
   */
  time: number

  /**
   * Whether the connection it came over still lives
   */
  held: boolean
}

/**
 * What the observations say together:
 *
 * - `none`: nothing
 * - `agreed`: one address
 * - `contested`: the servers differ, and some were not asked since: ask `again`,
 * a change of address in progress looks the same
 * - `endpoint-dependent`: they still differ
 *
 * `behaviour` is known from two server addresses on: RFC 5780 section 4.3
 * compares mappings to different addresses. `dissenters` are outvoted.
 */
export type Consensus =
  { verdict: 'none' } |
  { verdict: 'agreed', external: string, behaviour: 'endpoint-independent' | 'unknown', supporters: Observation[], dissenters: Observation[] } |
  { verdict: 'contested', again: Observation[] } |
  { verdict: 'endpoint-dependent', observations: Observation[] }

export interface ConsensusOptions {
  /**
   * When it was first noticed that the servers differ, ms by the clock
   */
  contestedSince?: number
}

/**
 * Find the one address that peers can be told, if there is one
 */
export function findConsensus (observations: Observation[], options: ConsensusOptions = {}): Consensus {
  // a dead connection's answer may be of a mapping that is gone
  const held = observations.filter(observation => observation.held)
  const voters = held.length > 0 ? held : observations

  if (voters.length === 0) {
    return { verdict: 'none' }
  }

  const groups = [...Map.groupBy(voters, voter => voter.external).values()].sort((a, b) => votes(b) - votes(a))
  const [supporters, ...rest] = groups
  const dissenters = rest.flat()

  if (dissenters.length === 0) {
    return agreed(supporters, dissenters)
  }

  const { contestedSince } = options
  const again = contestedSince == null ? voters : voters.filter(voter => voter.time < contestedSince)

  if (again.length > 0) {
    return { verdict: 'contested', again }
  }

  // a liar stands alone against servers at several addresses; where the NAT's
  // mapping depends on the endpoint nobody agrees with anybody
  if (hosts(supporters) > 1 && votes(supporters) > Math.max(1, votes(dissenters))) {
    return agreed(supporters, dissenters)
  }

  return { verdict: 'endpoint-dependent', observations: voters }
}

function agreed (supporters: Observation[], dissenters: Observation[]): Consensus {
  return {
    verdict: 'agreed',
    external: supporters[0].external,
    behaviour: hosts(supporters) > 1 ? 'endpoint-independent' : 'unknown',
    supporters,
    dissenters
  }
}

function hosts (observations: Observation[]): number {
  return new Set(observations.map(observation => observation.host)).size
}

function votes (observations: Observation[]): number {
  return new Set(observations.map(observation => observation.origin)).size
}
