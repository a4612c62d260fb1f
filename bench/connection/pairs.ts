/**
 * A client and a server for each of several subjects, and what is measured between them
 */
import { Child } from '../lib/child.ts'
import { sideBySide } from '../lib/side-by-side.ts'
import type { Subject } from './ends.ts'
import type { Done, Question } from './questions.ts'
import type { Sample } from '../lib/side-by-side.ts'

export interface Measurement {
  size: number

  /**
   * @default 1
   */
  pieces?: number

  /**
   * @default 1
   */
  connections?: number

  /**
   * Replies a second, in place of bytes a second
   *
   * @default false
   */
  reply?: boolean

  /**
   * The end that was connected to sends, in place of the one that has connected
   *
   * @default false
   */
  back?: boolean

  /**
   * Streams of yamux through noise
   *
   * @default false
   */
  stack?: boolean
}

/**
 * The length of a subject's turn, in ms: short, so that other load of the machine
 * affects all subjects alike
 */
const TIME = 50

/**
 * After so many rounds all processes are started anew: some are a tenth slower than others of the same program for as
 * long as they live, because their memory came out otherwise
 */
const ROUNDS_OF_PROCESSES = 21

interface Pair {
  client: Child
  server: Child
}

export interface Pairs extends AsyncDisposable {
  /**
   * As `sideBySide` does
   */
  measure (rounds: number, isKept?: (round: Record<Subject, Sample>) => boolean): Promise<Record<Subject, Sample>>
}

/**
 * A client and a server for each of the subjects
 */
export async function startPairs (subjects: Subject[], measurement: Measurement): Promise<Pairs> {
  const { size, pieces = 1, connections = 1, reply = false, back = false, stack = false } = measurement
  const pairs = new Map<Subject, Pair>()
  await start()

  return {
    measure: async (rounds, isKept) => sideBySide(
      rounds,
      Object.fromEntries(subjects.map(subject => [subject, async () => turn(subject)])) as
        Record<Subject, () => Promise<number>>,
      isKept,
      async round => {
        if (round > 0 && round % ROUNDS_OF_PROCESSES === 0) {
          await stop()
          await start()

          // for warm-up
          for (const subject of subjects) {
            await turn(subject)
          }
        }
      }
    ),
    [Symbol.asyncDispose]: stop
  }

  async function turn (subject: Subject): Promise<number> {
    const { client, server } = pairs.get(subject) as Pair

    if (reply) {
      return requestReply(client)
    }

    return back ? oneWay(server, client) : oneWay(client, server)
  }

  async function start (): Promise<void> {
    for (const subject of subjects) {
      const [client, server] = [0, 1].map(
        () => new Child(new URL('./subject.js', import.meta.url), [subject, stack ? 'stack' : 'bare'])
      )
      pairs.set(subject, { client, server })
    }

    // they start side by side
    const addresses = await Promise.all([...pairs.values()].map(async ({ server }) =>
      ask<string>(server, { do: 'listen', reply, size, pieces })
    ))

    for (const [i, { client, server }] of [...pairs.values()].entries()) {
      await ask(client, { do: 'connect', address: addresses[i], connections, reply, size, pieces })

      // a port that is shared resets what is silent for 5 s, and does not send before it was sent something
      if (!reply) {
        await oneWay(client, server)
      }
    }
  }

  async function stop (): Promise<void> {
    await Promise.all([...pairs.values()].flatMap(({ client, server }) => [client.stop(), server.stop()]))
  }
}

/**
 * @returns MB a second, from the first byte sent to the last byte received
 */
async function oneWay (sender: Child, receiver: Child): Promise<number> {
  await ask(receiver, { do: 'begin' })

  const { begin, amount } = await ask<Done>(sender, { do: 'send', time: TIME })
  const { end } = await ask<Done>(receiver, { do: 'receive', length: amount })

  return amount / (end - begin) / 1_000
}

/**
 * @returns replies a second
 */
async function requestReply (client: Child): Promise<number> {
  const { begin, end, amount } = await ask<Done>(client, { do: 'request', time: TIME })

  return amount / (end - begin) * 1_000
}

async function ask<T = void> (child: Child, question: Question): Promise<T> {
  return child.ask<T>(question)
}
