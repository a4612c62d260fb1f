/**
 * Our codec and those of npm, with the same Binding responses: `npm run
 * bench:codec`, with `-- --check --report --rounds 5 --json FILE` as wanted
 */
import { Child } from '../lib/child.ts'
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { NOISE, counted } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { ratio, sideBySide } from '../lib/side-by-side.ts'
import { OPERATIONS, SIZES } from './operations.ts'
import type { Operation, Size } from './operations.ts'
import type { Question, Subject } from './subject.ts'
import type { Promised } from '../lib/promise.ts'
import type { Sample } from '../lib/side-by-side.ts'

const SUBJECTS: Subject[] = ['ours', 'werift-ice', '@msimerson/stun', 'stun']
const PROGRAM = new URL('subject.js', import.meta.url)

/**
 * Of each operation in each round, in ms
 */
const DURATION = 60

/**
 * How many times faster than the fastest of the others, unless `FLOORS` has a number
 */
const TIMES_FASTER = 15

/**
 * Where less is promised; docs/benchmarks.md explains why
 */
const FLOORS: Record<string, number> = {
  'decode, 100 bytes': 8,
  'encode, 100 bytes': 10,
  'check MESSAGE-INTEGRITY, 32 bytes': 8,
  'check MESSAGE-INTEGRITY, 100 bytes': 8,
  'add MESSAGE-INTEGRITY, 32 bytes': 8,
  'add MESSAGE-INTEGRITY, 100 bytes': 8
}

/**
 * The order of magnitude that an operation may take, in ns: machines differ by a
 * factor of three
 */
const LIMITS: Record<string, number> = {
  'decode, 32 bytes': 100,
  'decode, 100 bytes': 300,
  'encode, 32 bytes': 150,
  'encode, 100 bytes': 400
}
const ORDER_OF_MAGNITUDE = Math.sqrt(10)

const options = benchOptions()
const rounds = options.rounds ?? 5
const scoreboard = new Scoreboard('codec', 'Codec: a Binding response, CPU time of one operation', options, {
  'werift-ice': packageVersion('werift-ice'),
  '@msimerson/stun': packageVersion('@msimerson/stun'),
  stun: packageVersion('stun')
})

for (const operation of OPERATIONS) {
  await scoreboard.part(operation, async () => {
    for (const size of SIZES) {
      await measure(operation, size)
    }
  })
}

await scoreboard.part('RFC 5769', async () => {
  const passed = await ask(async (children, subject) =>
    children[subject].ask<number>({ subject, size: 32, duration: 0 } satisfies Question)
  )
  scoreboard.add({
    what: 'checks of RFC 5769 passed, of 6',
    unit: '',
    results: passed,
    promise: counted('all', passed.ours === 6)
  })
})
await scoreboard.finish()

async function measure (operation: Operation, size: Size): Promise<void> {
  const children = start()

  try {
    const subject = (subject: Subject): [Subject, () => Promise<number>] => [
      subject,
      async () => children[subject].ask({ subject, operation, size, duration: DURATION } satisfies Question)
    ]
    const results = await sideBySide(
      rounds,
      Object.fromEntries(SUBJECTS.map(subject)) as Record<Subject, () => Promise<number>>
    )
    const what = `${operation}, ${size} bytes`
    scoreboard.add({
      what,
      unit: 'ns',
      results,
      promise: promised(results, LIMITS[what], FLOORS[what] ?? TIMES_FASTER)
    })
  } finally {
    await stop(children)
  }
}

function promised ({ ours, ...others }: Record<Subject, Sample>, limit: number | undefined, times: number): Promised {
  const faster = Math.min(...Object.values(others).map(other => ratio(other, ours).value))
  const about = limit == null ? '' : `about ${limit} ns, `
  const wanted = times < TIMES_FASTER ? `, ${TIMES_FASTER} are wanted` : ''
  const text = `${about}${times} times the best of the others (${faster.toFixed(1)})${wanted}`

  return { text, kept: faster >= times * (1 - NOISE) && (limit == null || ours.median <= limit * ORDER_OF_MAGNITUDE) }
}

async function ask (
  question: (children: Record<Subject, Child>, subject: Subject) => Promise<number>
): Promise<Record<Subject, number>> {
  const children = start()

  try {
    return Object.fromEntries(
      await Promise.all(SUBJECTS.map(async subject => [subject, await question(children, subject)]))
    ) as Record<Subject, number>
  } finally {
    await stop(children)
  }
}

function start (): Record<Subject, Child> {
  return Object.fromEntries(SUBJECTS.map(subject => [subject, new Child(PROGRAM)])) as Record<Subject, Child>
}

async function stop (children: Record<Subject, Child>): Promise<void> {
  await Promise.all(Object.values(children).map(async child => child.stop()))
}
