import { countHosts, countVotes, findConsensus, groupByExternal } from '../stun/consensus.ts'
import { dueAfter, isOverdue, refresh, remember } from './voting-memory.ts'
import type { Answer, Verdict } from './verdict.ts'
import type { Incumbent, VotingMemory } from './voting-memory.ts'

/**
 * No contest asks more servers than this
 */
export const MAX_OPINIONS = 5

export interface VotingContext {
  now: number

  /**
   * How many more servers could be asked now, or are being asked
   */
  askable: number

  /**
   * Whether peers of several networks see this address
   */
  isSeenByPeers(external: string): boolean
}

export type Ballot<T extends Answer = Answer> = Verdict<T> & { memory: VotingMemory }

/**
 * Decide which address is right, given the answers and earlier votes. Pure.
 *
 * - A connection that lives proves its mapping. While a connection that reported
 * the incumbent address lives, only more servers than have ever reported it can
 * overrule it, and only servers that never agreed with it.
 * - Without such a connection the majority decides, and one voice is enough unless
 * an earlier contest had no winner.
 * - Only answers for one local address count: another local address may be behind
 * another NAT.
 */
export function vote<T extends Answer> (answers: T[], before: VotingMemory, context: VotingContext): Ballot<T> {
  const memory = refresh(answers, before, context.now)
  const { incumbent } = memory
  const candidates = answers.filter(
    answer => answer.localHost === memory.localHost && counts(answer, memory) && !isOverdue(answer, memory, context.now)
  )
  const { voters, dissenters } = withVote(candidates, memory, context)
  const verdict = incumbent != null && incumbent.unsupportedSince == null
    ? challenge(incumbent, voters, memory, context)
    : elect(voters, memory, context) ?? keep(answers, incumbent)
  const all = { ...verdict, dissenters: [...verdict.dissenters, ...dissenters] }

  return { ...all, memory: remember(memory, all, context.now) }
}

/**
 * An answer may be for a mapping that is gone, if its connection has ended, or has been
 * silent since the incumbent was agreed. It counts if nothing newer is known.
 */
function counts ({ isHeld, external, time }: Answer, { incumbent }: VotingMemory): boolean {
  if (incumbent == null) {
    return true
  }

  return incumbent.unsupportedSince == null
    ? external === incumbent.external || time > incumbent.since
    : isHeld || time > incumbent.unsupportedSince
}

/**
 * An outvoted server regains its vote when it agrees with a supported incumbent, with a
 * server that has a vote, or with peers
 */
function withVote<T extends Answer> (
  answers: T[],
  { outvoted, incumbent }: VotingMemory,
  { isSeenByPeers }: VotingContext
): { voters: T[]; dissenters: T[] } {
  const trusted = answers.filter(
    ({ origin, isContradictory }) => isContradictory !== true && !outvoted.includes(origin)
  )
  const right = new Set(trusted.map(({ external }) => external))

  if (incumbent != null && incumbent.unsupportedSince == null) {
    right.add(incumbent.external)
  }

  const agrees = ({ external, isContradictory }: Answer): boolean =>
    isContradictory !== true && (right.has(external) || isSeenByPeers(external))

  return {
    voters: answers.filter(agrees),
    // a connection of a liar still proves the mapping
    dissenters: answers.filter(answer => !agrees(answer) && !(answer.isHeld && answer.external === incumbent?.external))
  }
}

/**
 * A connection supports the incumbent
 */
function challenge<T extends Answer> (
  incumbent: Incumbent,
  voters: T[],
  memory: VotingMemory,
  context: VotingContext
): Verdict<T> {
  const { external } = incumbent
  const supporters = voters.filter(voter => voter.external === external)
  const dissenters = voters.filter(voter => voter.external !== external)
  const more = moreOpinions(voters, context)

  if (dissenters.length === 0) {
    return memory.isReopened && more > 0
      ? { verdict: 'contested', again: [], more, dissenters: [] }
      : { verdict: 'agreed', external, supporters, dissenters }
  }

  const { contestedSince: since = Math.max(...dissenters.map(({ time }) => time)) } = memory
  const again = askAgain(supporters, since)

  if (again.length > 0) {
    return { verdict: 'contested', since, until: earliestDue(again, since), again, more: 0, dissenters: [] }
  }

  const differing = new Set(dissenters.map(({ origin }) => origin))
  const loyal = new Set(
    [...incumbent.agreed, ...supporters.map(({ origin }) => origin)].filter(origin => !differing.has(origin))
  )
  const isSettled = loyal.size > 1 || incumbent.agreed.length > 1
  const [challengers = []] = groupByExternal(
    dissenters.filter(({ origin }) => !isSettled || !incumbent.agreed.includes(origin))
  )
  const lead = isSettled ? Math.max(1, loyal.size) : countVotes(supporters)

  if (challengers.length > 0 && more > 0 && countVotes(challengers) + more > lead) {
    return { verdict: 'contested', since, again: [], more, dissenters: [] }
  }

  if (countVotes(challengers) > lead && countHosts(challengers) > 1) {
    return {
      verdict: 'agreed',
      external: challengers[0].external,
      supporters: challengers,
      dissenters: voters.filter(voter => !challengers.includes(voter))
    }
  }

  return isSettled || countVotes(challengers) < lead
    ? { verdict: 'agreed', external, supporters, dissenters }
    : { verdict: 'undecided', answers: voters, more, dissenters: [] }
}

/**
 * Nothing supports the incumbent, or there is none
 */
function elect<T extends Answer> (voters: T[], memory: VotingMemory, context: VotingContext): Verdict<T> | undefined {
  const [leaders, ...rest] = groupByExternal(voters)
  const more = moreOpinions(voters, context)

  if (leaders == null) {
    return
  }

  if (rest.length === 0) {
    return isEnough(leaders, memory, context)
      ? { verdict: 'agreed', external: leaders[0].external, supporters: leaders, dissenters: [] }
      : { verdict: 'undecided', answers: voters, more, dissenters: [] }
  }

  const since = memory.incumbent?.unsupportedSince ?? 0
  const again = askAgain(voters, since)

  if (again.length > 0) {
    return { verdict: 'contested', since, until: earliestDue(again, since), again, more, dissenters: [] }
  }

  const votes = countVotes(leaders)

  // the servers that can still be asked may change the result
  if (more > 0 && votes <= countVotes(rest.flat()) + more) {
    return { verdict: 'contested', again: [], more, dissenters: [] }
  }

  const consensus = findConsensus(voters)

  return consensus.verdict === 'agreed'
    ? {
        verdict: 'agreed',
        external: consensus.external,
        supporters: consensus.supporters,
        dissenters: consensus.dissenters
      }
    : { verdict: 'undecided', answers: voters, more, dissenters: [] }
}

/**
 * No newer answer counts: the incumbent stays until the answers for it expire
 */
function keep<T extends Answer> (answers: T[], incumbent?: Incumbent): Verdict<T> {
  const supporters = answers.filter(({ external }) => external === incumbent?.external)

  return incumbent == null || supporters.length === 0
    ? { verdict: 'none', dissenters: [] }
    : { verdict: 'agreed', external: incumbent.external, supporters, dissenters: [] }
}

/**
 * After a contest without a winner an address needs a second voice: another
 * server, or peers of several networks
 */
function isEnough (supporters: Answer[], { isUnsettled }: VotingMemory, { isSeenByPeers }: VotingContext): boolean {
  return (
    !isUnsettled || (countVotes(supporters) > 1 && countHosts(supporters) > 1) || isSeenByPeers(supporters[0].external)
  )
}

function askAgain<T extends Answer> (answers: T[], since: number): T[] {
  return answers.filter(({ isHeld, time }) => isHeld && time < since)
}

function earliestDue (answers: Answer[], since: number): number {
  return Math.min(...answers.map(answer => dueAfter(answer, since)))
}

function moreOpinions (voters: Answer[], { askable }: VotingContext): number {
  return Math.max(0, Math.min(askable, MAX_OPINIONS - countVotes(voters)))
}
