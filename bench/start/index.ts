/**
 * What it takes to begin: the size of the transport, its import, `listen()` without a
 * network, and a check by the tool: `npm run bench:start`, with `-- --check --report
 * --rounds 21 --json FILE` as wanted
 */
import { packageVersion } from '../lib/machine.ts'
import { benchOptions } from '../lib/options.ts'
import { atMost, counted } from '../lib/promise.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { ratio, sideBySide, toSample } from '../lib/side-by-side.ts'
import { CheckedHome } from './check.ts'
import { importPackage } from './import.ts'
import { Installation } from './install.ts'
import { listenOffline } from './offline.ts'
import type { Trouble } from './offline.ts'

/**
 * How much of what `@libp2p/tcp` takes the transport and its import may take, see
 * docs/benchmarks.md
 */
const MORE = 1.1

/**
 * How long `listen()` may take without a network, in ms
 */
const MAX_OFFLINE = 300
const TROUBLES: Trouble[] = ['no route', 'no DNS server']

/**
 * How many round trips a check without a test from outside takes, and how long the rest of
 * it, in ms
 */
const CHECK_ROUND_TRIPS = 4
const CHECK_REST = 300
const ROUND_TRIPS = [0, 20, 50]

const options = benchOptions()
const rounds = options.rounds ?? 15
const board = new Scoreboard('start', 'The start: size, import, no network, check', options, {
  '@libp2p/tcp': packageVersion('@libp2p/tcp')
})

await board.part('install and import', installAndImport)
await board.part('offline', offline)
await board.part('check', check)
await board.finish()

async function installAndImport (): Promise<void> {
  const installation = new Installation()
  const { ours, theirs } = installation

  try {
    const memory: Record<'ours' | '@libp2p/tcp', number[]> = { ours: [], '@libp2p/tcp': [] }
    const measure = (subject: 'ours' | '@libp2p/tcp', folder: string, name: string) => async (): Promise<number> => {
      const result = importPackage(folder, name)
      memory[subject].push(result.memory / 1e6)

      return result.time
    }
    const time = await sideBySide(rounds, {
      ours: measure('ours', ours.folder, 'libp2p-tcp-stun'),
      '@libp2p/tcp': measure('@libp2p/tcp', theirs.folder, '@libp2p/tcp')
    })
    const resident = { ours: toSample(memory.ours.slice(1)), '@libp2p/tcp': toSample(memory['@libp2p/tcp'].slice(1)) }

    for (const [what, unit, of] of [['size of all files', 'kB', 'size'], ['packages', '', 'packages']] as const) {
      const scale = of === 'size' ? 1_000 : 1
      board.add({
        what: `installed: ${what}`,
        unit,
        results: { ours: ours[of] / scale, '@libp2p/tcp': theirs[of] / scale },
        promise: counted(
          `at most ${MORE}x @libp2p/tcp (${(ours[of] / theirs[of]).toFixed(2)})`,
          ours[of] <= MORE * theirs[of]
        )
      })
    }

    board.add({
      what: 'import of the transport',
      unit: 'ms',
      results: time,
      promise: atMost(ratio(time.ours, time['@libp2p/tcp']), MORE, `${MORE}x @libp2p/tcp`)
    })
    board.add({
      what: 'resident memory of a process that has imported it',
      unit: 'MB',
      results: resident,
      promise: atMost(ratio(resident.ours, resident['@libp2p/tcp']), MORE, `${MORE}x @libp2p/tcp`)
    })
  } finally {
    installation.remove()
  }
}

/**
 * With the default list of servers
 */
async function offline (): Promise<void> {
  for (const trouble of TROUBLES) {
    const { ours } = await sideBySide(3, { ours: async () => listenOffline(trouble) })
    board.add({
      what: `listen(), ${trouble}`,
      unit: 'ms',
      results: { ours },
      promise: atMost(ours.median, MAX_OFFLINE, `${MAX_OFFLINE} ms`)
    })
  }
}

/**
 * The whole process, from its start to its end
 */
async function check (): Promise<void> {
  for (const roundTrip of ROUND_TRIPS) {
    const home = await CheckedHome.create(roundTrip)

    try {
      const { ours } = await sideBySide(3, { ours: async () => home.check() })
      const limit = CHECK_ROUND_TRIPS * roundTrip + CHECK_REST
      board.add({
        what: `tcp-stun check without a test from outside, ${roundTrip} ms round trip`,
        unit: 'ms',
        results: { ours },
        promise: {
          text: `at most ${CHECK_ROUND_TRIPS} round trips and ${CHECK_REST} ms (${limit})`,
          kept: ours.median <= limit
        }
      })
    } finally {
      await home.close()
    }
  }
}
