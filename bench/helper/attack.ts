import { Child } from '../lib/child.ts'
import { atMost } from '../lib/promise.ts'
import { toSample } from '../lib/side-by-side.ts'
import type { Question } from './peers.ts'
import type { HelperProcess } from './process.ts'
import type { Scoreboard } from '../lib/scoreboard.ts'

const ATTACKS_PER_SECOND = 100

/**
 * Members that poll: a tenth of a second without an answer is one of many polls
 */
const POLLERS = 10

/**
 * Quiet and under attack in turn, so that what else the machine does meets both; in s
 */
const TURNS = 4
const TURN = 2.5

/**
 * An attack lasts: what V8 compiles when the helper refuses somebody for the first time, and the room that it makes
 * for more garbage, are not part of all the polls that follow. In s.
 */
const FIRST = 2

interface Attacked {
  attempts: number

  /**
   * In ms
   */
  polls: number[]
  waits: number[]
}

/**
 * What strangers do to the members and to honest newcomers. `peers` has all the others.
 */
export async function watchAttack (board: Scoreboard, helper: HelperProcess, peers: Child): Promise<void> {
  const strangers = new Child(new URL('./peers.js', import.meta.url))
  const member = new Child(new URL('./peers.js', import.meta.url))
  const { port, stunPort } = helper
  const poll = async (seconds: number): Promise<number[]> => member.ask({ do: 'poll', seconds } satisfies Question)
  const attack = async (seconds: number): Promise<Attacked> => {
    const perSecond = ATTACKS_PER_SECOND
    const [attempts, polls, waits] = await Promise.all([
      strangers.ask<number>({ do: 'attack', port, stunPort, seconds, perSecond } satisfies Question),
      poll(seconds),
      peers.ask<number[]>({ do: 'come', port, seconds } satisfies Question)
    ])

    return { attempts, polls, waits }
  }

  try {
    await member.ask({ do: 'join', port, from: 100_000, count: POLLERS, follow: false } satisfies Question)
    const first = await attack(FIRST)
    const quiet: number[] = []
    const attacked: Attacked[] = []

    for (let i = 0; i < TURNS; i++) {
      quiet.push(...await poll(TURN))
      attacked.push(await attack(TURN))
    }

    const attempts = attacked.reduce((sum, { attempts }) => sum + attempts, 0) / TURNS / TURN
    const polls = attacked.flatMap(({ polls }) => polls)
    const waits = toSample([first, ...attacked].flatMap(({ waits }) => waits))

    board.add({ what: 'attempts of strangers a second', unit: '', results: { helper: attempts } })
    board.add({ what: 'polls of members, p99, quiet', unit: 'ms', results: { helper: p99(quiet) } })
    board.add({
      what: `polls of members, p99, in the first ${FIRST} s of an attack`,
      unit: 'ms',
      results: { helper: p99(first.polls) }
    })
    board.add({
      what: 'polls of members, p99, under attack',
      unit: 'ms',
      results: { helper: p99(polls) },
      promise: atMost(p99(polls) / p99(quiet), 2, 'twice the quiet one')
    })
    board.add({
      what: 'newcomers under attack, until they have a reservation',
      unit: 'ms',
      results: { helper: waits },
      promise: atMost(waits.max, 2_000, '2 s for each')
    })
  } finally {
    await Promise.all([strangers.stop(), member.stop()])
  }
}

function p99 (times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(0.99 * times.length)]
}
