import { RETURN_WINDOW, recordAddress } from './address-history.ts'
import { isConfirmedByPeers, isSeenByPeers, peersAgainst } from './peer-views.ts'
import { refresh } from './voting-memory.ts'
import { vote } from './voting.ts'
import type { StoredAnswer } from './answers.ts'
import type { DecideOptions, Decision, Facts, Memory } from './decision.ts'
import type { Ballot } from './voting.ts'

/**
 * The first answer is not announced until the servers that are still being asked
 * had two round trips to answer, between these bounds in ms: behind a NAT with
 * endpoint-dependent mapping it would be an address that no peer can use
 */
const SECOND_OPINION_MIN = 100
const SECOND_OPINION_MAX = 500

/**
 * Peers that contradict the servers have them asked again this often at most, in ms
 */
const REOPEN_INTERVAL = 30 * 60_000

type Undecided = Omit<Decision, 'outcome'>

/**
 * Draw the conclusion from all that is known. Pure.
 */
export function decide (facts: Facts, before: Memory, options: DecideOptions, now: number): Decision {
  const { fresh, expired, heldOtherwiseUntil, next } = expire(facts, before, options, now)
  const votes = refresh(fresh, before.votes, now)
  const memory = { ...reopen(facts, { ...before, votes }, now), heldOtherwiseUntil }
  const opinionDue = secondOpinion(fresh, facts, memory, options)
  const base = {
    memory,
    expired,
    next,
    ask: [],
    reject: [],
    wanted: options.stunConnections + (memory.isAnnounced ? 0 : 1),
    mayRenew: true
  }

  if (opinionDue != null && opinionDue > now) {
    return { ...base, outcome: { state: 'unchanged' }, next: earliest(next, opinionDue) }
  }

  const ballot = vote(fresh, memory.votes, {
    now,
    askable: facts.askable,
    isSeenByPeers: external => isSeenByPeers(facts.peers, external)
  })
  const voted = {
    ...base,
    memory: { ...memory, votes: ballot.memory },
    reject: ballot.dissenters.filter(({ isHeld }) => isHeld)
  }

  switch (ballot.verdict) {
    case 'agreed':
      return settle(onAgreed(ballot, voted, facts, fresh, options, now))
    case 'contested':
      return settle(onContested(ballot, voted, fresh))
    case 'undecided':
      return settle(onUndecided(ballot, voted, fresh))
    // an address that was announced has expired, or no server is left to ask
    default:
      return settle({
        ...voted,
        outcome: { state: facts.connections > 0 && !memory.isAnnounced ? 'acquiring' : 'lost' }
      })
  }
}

function settle (decision: Decision): Decision {
  const { outcome: { state }, memory } = decision

  return state === 'unchanged' ? decision : { ...decision, memory: { ...memory, isAnnounced: state === 'mapped' } }
}

function onAgreed (
  { external, supporters, memory: { incumbent } }: Ballot<StoredAnswer> & { verdict: 'agreed' },
  voted: Undecided,
  facts: Facts,
  fresh: StoredAnswer[],
  { stunConnections }: DecideOptions,
  now: number
): Decision {
  const { isAnnounced, history: before } = voted.memory
  const history = recordAddress(before, external, now)
  // peers have reported on the address that was announced
  const peers = isAnnounced && before.current !== external ? [] : facts.peers
  const memory = { ...voted.memory, history }
  const held = supporters.filter(({ isHeld }) => isHeld)
  const liars = fresh.filter(({ isHeld, isContradictory }) => isHeld && isContradictory === true)
  const isConfirmed =
    incumbent?.isShown === true ||
    isConfirmedByPeers(
      peers,
      external,
      supporters.map(({ host }) => host)
    )
  const against = isConfirmed ? [] : peersAgainst(peers, external)
  const decision = {
    ...voted,
    memory,
    wanted: voted.wanted + liars.length,
    // spare connections are no longer needed
    keep: held.length < stunConnections ? undefined : ofDifferentServers(held).slice(0, stunConnections)
  }

  if (history.isPooled) {
    return {
      ...decision,
      next: earliest(voted.next, history.since + RETURN_WINDOW),
      outcome: { state: 'endpoint-dependent', answers: supporters, peers: [], isPooled: true }
    }
  }

  if (against.length > 0) {
    return {
      ...decision,
      outcome: { state: 'endpoint-dependent', answers: supporters, peers: against, isPooled: false }
    }
  }

  // the only connection may belong to a server that was outvoted since
  const [{ local }] = [...supporters, ...fresh.filter(answer => answer.external === external)]

  return {
    ...decision,
    outcome: {
      state: 'mapped',
      external,
      behaviour: isConfirmed ? 'endpoint-independent' : 'unknown',
      local,
      servers: supporters.map(({ server }) => server)
    }
  }
}

function onContested (
  { again, more, until }: Ballot<StoredAnswer> & { verdict: 'contested' },
  voted: Undecided,
  answers: StoredAnswer[]
): Decision {
  return {
    ...voted,
    next: earliest(voted.next, until),
    outcome: { state: 'unchanged' },
    ask: again,
    mayRenew: false,
    wanted: withOpinions(voted.wanted, answers, more)
  }
}

function onUndecided (
  { answers, more }: Ballot<StoredAnswer> & { verdict: 'undecided' },
  voted: Undecided,
  fresh: StoredAnswer[]
): Decision {
  const differ = new Set(answers.map(({ external }) => external)).size > 1

  return {
    ...voted,
    wanted: withOpinions(voted.wanted, fresh, Math.min(1, more)),
    // a single answer decides nothing
    outcome: differ ? { state: 'endpoint-dependent', answers, peers: [], isPooled: false } : { state: 'unchanged' }
  }
}

function withOpinions (wanted: number, answers: StoredAnswer[], more: number): number {
  return Math.max(wanted, answers.filter(({ isHeld }) => isHeld).length + more)
}

/**
 * Answers of different operators first: a fault of one operator ends all of its connections
 */
function ofDifferentServers (answers: StoredAnswer[]): StoredAnswer[] {
  const first = new Set([...Map.groupBy(answers, ({ origin }) => origin).values()].map(([answer]) => answer))

  return [...first, ...answers.filter(answer => !first.has(answer))]
}

/**
 * The answer of a connection that has ended expires after its lifetime, but not while no
 * connection is left and something else holds the mapping
 */
function expire (
  { answers, isHeldOtherwise }: Facts,
  before: Memory,
  { lifetime }: DecideOptions,
  now: number
): { fresh: StoredAnswer[]; expired: StoredAnswer[]; heldOtherwiseUntil: number; next?: number } {
  const isHeld = isHeldOtherwise && answers.every(({ isHeld }) => !isHeld)
  const heldOtherwiseUntil = isHeld ? now + lifetime / 2 : before.heldOtherwiseUntil
  const expiry = ({ isHeld, endedAt = now }: StoredAnswer): number =>
    isHeld ? Infinity : Math.max(endedAt + lifetime, heldOtherwiseUntil)
  const fresh = answers.filter(answer => expiry(answer) > now)

  return {
    fresh,
    expired: answers.filter(answer => !fresh.includes(answer)),
    heldOtherwiseUntil,
    next: earliest(...fresh.map(expiry))
  }
}

/**
 * Until when the first answer is held back for those of the servers that are still being
 * asked. An answer for the announced address is not held back.
 */
function secondOpinion (
  fresh: StoredAnswer[],
  { connecting }: Facts,
  { votes: { incumbent } }: Memory,
  { stunConnections }: DecideOptions
): number | undefined {
  const held = fresh.filter(({ isHeld }) => isHeld)
  const isNews =
    incumbent == null ||
    (incumbent.unsupportedSince != null && held.some(({ external }) => external !== incumbent.external))

  if (connecting === 0 || held.length === 0 || held.length >= stunConnections || !isNews) {
    return
  }

  return Math.min(
    ...held.map(
      ({ time, roundTrip }) => time + Math.min(SECOND_OPINION_MAX, Math.max(SECOND_OPINION_MIN, 2 * roundTrip))
    )
  )
}

/**
 * If peers of several networks contradict the address that servers agreed on, more servers
 * are asked, including outvoted ones. Peers are not trusted, so they do not decide.
 */
function reopen ({ peers }: Facts, memory: Memory, now: number): Memory {
  const { votes, reopenedAt = -Infinity } = memory
  const { incumbent } = votes

  if (
    incumbent?.isShown !== true ||
    now - reopenedAt < REOPEN_INTERVAL ||
    peersAgainst(peers, incumbent.external).length === 0
  ) {
    return memory
  }

  return { ...memory, reopenedAt: now, votes: { ...votes, outvoted: [], isReopened: true } }
}

function earliest (...times: Array<number | undefined>): number | undefined {
  const next = Math.min(...times.filter(time => time != null))

  return Number.isFinite(next) ? next : undefined
}
