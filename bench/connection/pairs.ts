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
const TIME = 60

export interface Pairs extends AsyncDisposable {
  measure (rounds: number): Promise<Record<Subject, Sample>>
}

/**
 * A client and a server for each of the subjects
 */
export async function startPairs (subjects: Subject[], measurement: Measurement): Promise<Pairs> {
  const { size, pieces = 1, connections = 1, reply = false, stack = false } = measurement
  const pairs = new Map<Subject, { client: Child, server: Child }>()
  const addresses = new Map<Subject, string>()

  for (const subject of subjects) {
    const [client, server] = [0, 1].map(
      () => new Child(new URL('./subject.js', import.meta.url), [subject, stack ? 'stack' : 'bare'])
    )
    pairs.set(subject, { client, server })
    addresses.set(subject, await ask<string>(server, { do: 'listen', reply, size }))
  }

  // A port that is shared resets what is silent for 5 s, so the programs must have started
  for (const [subject, { client }] of pairs) {
    await ask(client, { do: 'connect', address: addresses.get(subject) ?? '', connections, size, pieces })
  }

  return {
    measure: async rounds => sideBySide(rounds, Object.fromEntries([...pairs].map(([subject, { client, server }]) => [
      subject,
      async () => reply ? requestReply(client) : oneWay(client, server)
    ])) as Record<Subject, () => Promise<number>>),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...pairs.values()].flatMap(({ client, server }) => [client.stop(), server.stop()]))
    }
  }
}

/**
 * @returns MB a second, from the first byte sent to the last byte received
 */
async function oneWay (client: Child, server: Child): Promise<number> {
  await ask(server, { do: 'begin' })

  const { begin, amount } = await ask<Done>(client, { do: 'send', time: TIME })
  const { end } = await ask<Done>(server, { do: 'receive', length: amount })

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
