import { countHosts } from '../stun/consensus.ts'
import type { Answer, Verdict } from './verdict.ts'

/**
 * A server that is asked again answers within three round trips, or within this many
 * ms where those are shorter: time for TCP to send a lost segment again
 */
const VERIFY_MIN = 250

/**
 * The address that was agreed last
 */
export interface Incumbent {
  external: string

  /**
   * The servers (their origins) that have reported it and nothing else since
   */
  agreed: string[]

  /**
   * Whether answers from two IP addresses have shown the address to be the same
   */
  isShown: boolean

  /**
   * Since when no connection that reported the address lives, by the monotonic
   * clock in ms. While one lives the mapping exists, and the address is right.
   */
  unsupportedSince?: number

  /**
   * Since when it is the incumbent, by the monotonic clock in ms
   */
  since: number
}

/**
 * What a vote has to remember of earlier ones. Never mutated.
 */
export interface VotingMemory {
  incumbent?: Incumbent

  /**
   * When a server contradicted the incumbent, by the monotonic clock in ms. Those
   * that support the incumbent are asked again: a change of address that is under
   * way looks the same.
   */
  contestedSince?: number

  /**
   * The servers (their origins) that a majority has contradicted. They have no
   * vote until they agree with a server that has one.
   */
  outvoted: string[]

  /**
   * The servers differed and no side won: one voice alone is not believed
   */
  isUnsettled: boolean

  /**
   * Whether more servers are asked although those that are connected agree
   */
  isReopened: boolean

  /**
   * The local IP address that the answers were for
   */
  localHost?: string
}

export const NO_VOTES: VotingMemory = { outvoted: [], isUnsettled: false, isReopened: false }

/**
 * See which local address the answers are for, and whether the incumbent still
 * has the support of a connection. To be done at every change, also when there is
 * no vote.
 */
export function refresh (answers: Answer[], before: VotingMemory, now: number): VotingMemory {
  const localHost = findLocalHost(answers, before)
  const isMoved = before.localHost != null && localHost !== before.localHost
  const liars = answers.filter(({ isContradictory }) => isContradictory).map(({ origin }) => origin)
  const memory = {
    ...before,
    localHost,
    isUnsettled: before.isUnsettled && !isMoved,
    outvoted: [...new Set([...before.outvoted, ...liars])]
  }
  const { incumbent } = before

  if (
    incumbent == null ||
    incumbent.unsupportedSince != null ||
    answers.some(answer => supports(answer, incumbent) && !isOverdue(answer, before, now))
  ) {
    return memory
  }

  return { ...memory, incumbent: { ...incumbent, unsupportedSince: now } }
}

/**
 * Whether a server was asked again, since its answer was contradicted, and is silent.
 * Its connection may be dead.
 */
export function isOverdue (answer: Answer, { contestedSince = -Infinity }: VotingMemory, now: number): boolean {
  return answer.isHeld && answer.time < contestedSince && now >= dueAfter(answer, contestedSince)
}

/**
 * When the answer to a request of this time is due
 */
export function dueAfter ({ roundTrip }: Answer, since: number): number {
  return since + Math.max(VERIFY_MIN, 3 * roundTrip)
}

/**
 * The local address whose connections support the incumbent, or else the one with
 * the most connections
 */
function findLocalHost (answers: Answer[], { incumbent, localHost }: VotingMemory): string | undefined {
  if (answers.some(answer => answer.localHost === localHost && incumbent != null && supports(answer, incumbent))) {
    return localHost
  }

  const groups = [...Map.groupBy(answers, ({ localHost }) => localHost)]
  const connections = (answers: Answer[]): number => answers.filter(({ isHeld }) => isHeld).length
  const [most] = groups.sort(([, a], [, b]) => connections(b) - connections(a))

  return most?.[0] ?? localHost
}

function supports ({ isHeld, external }: Answer, incumbent: Incumbent): boolean {
  return isHeld && external === incumbent.external
}

/**
 * What the next vote has to know of this one
 */
export function remember (memory: VotingMemory, verdict: Verdict, now: number): VotingMemory {
  switch (verdict.verdict) {
    case 'agreed':
      return rememberAgreed(memory, verdict, now)
    case 'contested':
      return { ...memory, contestedSince: verdict.since }
    case 'undecided':
      return { ...memory, contestedSince: undefined, incumbent: undefined, isUnsettled: true, isReopened: false }
    default:
      return { ...memory, contestedSince: undefined, incumbent: undefined, isReopened: false }
  }
}

function rememberAgreed (
  memory: VotingMemory,
  { external, supporters, dissenters }: Verdict & { verdict: 'agreed' },
  now: number
): VotingMemory {
  const previous = memory.incumbent?.external === external ? memory.incumbent : undefined
  const loyal = new Set(
    supporters.filter(({ isHeld, isContradictory }) => isHeld && isContradictory !== true).map(({ origin }) => origin)
  )
  const disloyal = new Set(dissenters.map(({ origin }) => origin))
  const isSupported = supporters.some(({ isHeld }) => isHeld) || (previous != null && previous.unsupportedSince == null)

  return {
    ...memory,
    contestedSince: undefined,
    isReopened: false,
    isUnsettled: false,
    outvoted: [...new Set([...memory.outvoted.filter(origin => !loyal.has(origin)), ...disloyal])],
    incumbent: {
      external,
      agreed: [...new Set([...(previous?.agreed ?? []), ...loyal])].filter(origin => !disloyal.has(origin)),
      isShown: previous?.isShown === true || countHosts(supporters) > 1,
      unsupportedSince: isSupported ? undefined : (previous?.unsupportedSince ?? now),
      since: previous?.since ?? now
    }
  }
}
