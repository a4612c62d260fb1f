/**
 * What a mapping costs: time to the first address, traffic to hold it, memory and
 * CPU of a thousand of them: `npm run bench:mapping`, with `-- --check --report
 * --rounds 5 --json FILE` as wanted
 */
import { Child } from '../lib/child.ts'
import { benchOptions } from '../lib/options.ts'
import { atMost, counted } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { sideBySide } from '../lib/side-by-side.ts'
import { assertLaboratory, setUpHome } from './laboratory.ts'
import type { Way } from './lab-client.ts'
import type { Home } from './laboratory.ts'
import type { ListenersAnswer, ListenersQuestion } from './listeners.ts'

/**
 * In ms
 */
const ROUND_TRIPS = [10, 50, 100]

/**
 * How much longer than two round trips the first address may take, in ms
 */
const LATE = 20

/**
 * As many as the list of default servers has. They answer late or not at all one day.
 */
const DEAD_SERVERS = { answering: 4, silent: 4, refusing: 3 }
const DEAD_SERVERS_ROUND_TRIP = 50
const DEAD_SERVERS_ROUNDS = 15

/**
 * One keep-alive a second instead of one in 15 seconds: the same packets, 15 times as
 * fast. The kernel's intervals are whole seconds.
 */
const FAST_INTERVAL = 1_000
const INTERVAL = 15_000

/**
 * A whole cycle of each, in ms: after 20 keep-alives Natter's model checks its address; after 18
 * both connections of ours have sent probes and requests in the proportion that they keep to
 */
const NATTER_CYCLE = 20 * FAST_INTERVAL
const OUR_CYCLE = 18 * FAST_INTERVAL

/**
 * When it begins, in ms: the connections have their first answers, and Natter's check is not at
 * its edge, where one more or less would be a fifth of its bytes
 */
const HOLD_AFTER = 5_500

/**
 * The numbers of listeners that are measured
 */
const LISTENERS = [1, 10, 100, 250, 500, 1_000]

/**
 * Differences are taken from this number on, to exclude what all listeners share
 */
const SHARED = 100

/**
 * In bytes, and ms a minute
 */
const MAX_MEMORY = 30_000
const MAX_CPU = 1

/**
 * Ten times as fast as the default, for a whole cycle of probes and requests
 */
const CPU_INTERVAL = 1_500
const CPU_TIME = 9_000

const options = benchOptions()
const rounds = options.rounds ?? 5
const scoreboard = new Scoreboard('mapping', 'A mapping: how fast it is there, what it costs to hold', options, {
  Natter: 'f8257e8',
  natmap: 'e0975d6'
})

assertLaboratory()

await scoreboard.part('first address', async () => {
  // Natter takes more than 3 s each time, most of which it waits: so all of them wait at the same time
  const natter = await Promise.all(ROUND_TRIPS.map(async roundTrip => withHome(roundTrip, async home => {
    // so that its process is warm
    await first('natmap')(home)

    return first('Natter')(home)
  })))

  for (const [i, roundTrip] of ROUND_TRIPS.entries()) {
    await firstAddress(roundTrip, natter[i])
  }
})
await scoreboard.part('dead servers', deadServers)
// packets and CPU time are counted, so both are measured at the same time
await scoreboard.part('traffic and listeners', async () => { await Promise.all([traffic(), manyListeners()]) })
await scoreboard.finish()

/**
 * From `listen()` to its return, with the external address
 */
async function firstAddress (roundTrip: number, natter: number): Promise<void> {
  await withHome(roundTrip, async home => {
    const results = await sideBySide(rounds, {
      ours: async () => first('ours')(home),
      natmap: async () => first('natmap')(home),
      limit: async () => first('limit')(home)
    })
    const limit = 2 * roundTrip
    scoreboard.add({
      what: `first address, ${roundTrip} ms round trip`,
      unit: 'ms',
      results: { ...results, Natter: natter },
      promise: {
        text: `at most two round trips and ${LATE} ms (${limit + LATE})`,
        kept: results.ours.median <= limit + LATE
      }
    })
  })
}

function first (way: Way): (home: Home) => Promise<number> {
  return async ({ client }) => (await client.ask('first', { way })).time
}

async function withHome<T> (roundTrip: number, measure: (home: Home) => Promise<T>): Promise<T> {
  const home = await setUpHome(roundTrip)

  try {
    return await measure(home)
  } finally {
    await home.close()
  }
}

/**
 * The same where most servers do not answer, and until two of them have said the same
 */
async function deadServers (): Promise<void> {
  const home = await setUpHome(DEAD_SERVERS_ROUND_TRIP, DEAD_SERVERS)
  const agreed: number[] = []

  try {
    const first = (way: Way) => async (): Promise<number> => {
      const answer = await home.client.ask('first', { way })

      if (way === 'ours') {
        agreed.push(answer.agreed)
      }

      return answer.time
    }
    const { ours, limit } = await sideBySide(DEAD_SERVERS_ROUNDS, { ours: first('ours'), limit: first('limit') })
    const late = Math.max(...ours.values) - limit.median
    scoreboard.add({
      what: 'first address, 50 ms round trip, 4 of 11 servers silent and 3 refusing',
      unit: 'ms',
      results: { ours, limit },
      promise: { text: `always at most ${LATE} ms above the limit (${late.toFixed(1)})`, kept: late <= LATE }
    })
    scoreboard.add({
      what: 'servers that reported it then, at least',
      unit: '',
      results: { ours: Math.min(...agreed) },
      promise: counted('2', Math.min(...agreed) >= 2)
    })
  } finally {
    await home.close()
  }
}

/**
 * What the router forwards in both directions in an hour. Natter has one connection, we
 * have two by default, so that the mapping outlives the end of one.
 */
async function traffic (): Promise<void> {
  const [natter, one, two] = await Promise.all([hold(), hold(1), hold(2)])

  for (const unit of ['bytes', 'packets'] as const) {
    scoreboard.add({
      what: `to hold a mapping for an hour by one connection, ${unit}`,
      unit,
      results: { ours: one[unit], Natter: natter[unit] },
      // docs/benchmarks.md explains why the packets cannot be fewer
      promise:
        unit === 'bytes'
          ? atMost(one.bytes, natter.bytes / 2, 'half of Natter')
          : atMost(one.packets, (natter.packets * 3) / 4, 'three quarters of Natter')
    })
    scoreboard.add({
      what: `by two connections, the default, ${unit}`,
      unit,
      results: { ours: two[unit], Natter: natter[unit] },
      promise: unit === 'bytes' ? atMost(two.bytes, natter.bytes / 2, 'half of Natter') : undefined
    })
  }
}

async function hold (stunConnections?: number): Promise<{ packets: number, bytes: number }> {
  const time = stunConnections == null ? NATTER_CYCLE : OUR_CYCLE
  const home = await setUpHome(0)

  try {
    await home.client.ask('hold', { stunConnections, interval: FAST_INTERVAL })
    await wait(HOLD_AFTER)
    await home.router.count()
    await wait(time)
    const { packets, bytes } = await home.router.count()
    const scale = 3_600_000 / (time * INTERVAL / FAST_INTERVAL)

    return { packets: packets * scale, bytes: bytes * scale }
  } finally {
    await home.close()
  }
}

/**
 * With two servers in another process
 */
async function manyListeners (): Promise<void> {
  const servers = new Child(new URL('stun-servers.js', import.meta.url))
  const listeners = new Child(new URL('listeners.js', import.meta.url), [], ['--expose-gc'])

  try {
    const stunServers = await servers.ask<string[]>({})
    const growth: Array<{ x: number } & ListenersAnswer> = []

    for (const count of LISTENERS) {
      const question: ListenersQuestion = { stunServers, keepAliveInterval: CPU_INTERVAL, listeners: count }
      growth.push({ x: count, ...await listeners.ask<ListenersAnswer>(question) })
    }

    const { cpu } = await listeners.ask<ListenersAnswer>({
      stunServers,
      keepAliveInterval: CPU_INTERVAL,
      duration: CPU_TIME
    } satisfies ListenersQuestion)
    const [first, last] = [growth.find(({ x }) => x === SHARED), growth.at(-1)] as Array<typeof growth[number]>
    const each = (value: (point: ListenersAnswer) => number): number =>
      (value(last) - value(first)) / (last.x - first.x)
    const memory = each(({ heap, external }) => heap + external)
    const cpuAMinute = cpu / last.x / (CPU_TIME * INTERVAL / CPU_INTERVAL) * 60_000

    scoreboard.add({
      what: `memory of one of ${last.x} listeners: heap and external`,
      unit: 'bytes',
      results: { ours: memory },
      promise: atMost(memory, MAX_MEMORY, `${MAX_MEMORY}, 25000 are wanted`)
    })
    scoreboard.add({
      what: 'the same as the system sees it (RSS)',
      unit: 'bytes',
      results: { ours: each(({ resident }) => resident) }
    })
    scoreboard.add({
      what: `CPU of one of ${last.x} listeners in a minute`,
      unit: 'ms',
      results: { ours: cpuAMinute },
      promise: atMost(cpuAMinute, MAX_CPU, String(MAX_CPU))
    })
    scoreboard.chart('listeners', {
      title: 'Memory of a process with listeners that have a mapping each',
      x: { label: 'listeners' },
      y: { label: 'MB' },
      lines: {
        'heap and external': growth.map(({ x, heap, external }) => ({ x, y: (heap + external) / 1e6 })),
        'resident (RSS)': growth.map(({ x, resident }) => ({ x, y: resident / 1e6 }))
      }
    })
  } finally {
    await listeners.stop()
    await servers.stop()
  }
}

async function wait (ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}
