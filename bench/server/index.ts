/**
 * Our server and coturn in turn, with `--report` stuntman and pion's too, under the same load:
 * `npm run bench:server`, with `-- --check --report --rounds 9 --part NAME --json FILE` as wanted, and
 * `--seconds 0.25 --workers 2 --connections 20000 --many 100000 --tls-connections 2000
 * --open-seconds 5 --burst 25000 --burst-workers 16` with these defaults.
 *
 * Ours has as many workers as the machine has cores, as coturn has threads.
 */
import os from 'node:os'
import { benchOptions } from '../lib/options.ts'
import { Scoreboard } from '../lib/scoreboard.ts'
import { burst, opens } from './clients.ts'
import { idle, many } from './idle.ts'
import { Load } from './load.ts'
import { requests } from './requests.ts'
import { versions } from './subjects.ts'

const options = benchOptions({
  seconds: { type: 'string', default: '0.25' },
  workers: { type: 'string', default: String(os.cpus().length) },
  connections: { type: 'string', default: '20000' },
  many: { type: 'string', default: '100000' },
  'tls-connections': { type: 'string', default: '2000' },
  'open-seconds': { type: 'string', default: '5' },
  burst: { type: 'string', default: '25000' },
  'burst-workers': { type: 'string', default: '16' }
})
const workers = Number(options.workers)
const held = Number(options.connections)
const board = new Scoreboard('server', 'Server', options, versions())
const load = new Load()
const under = { board, load, workers }

try {
  for (const [part, transport] of [['requests', 'tcp'], ['requests over TLS', 'tls']] as const) {
    await board.part(part, async () => requests(under, transport, {
      rounds: options.rounds ?? 9,
      seconds: Number(options.seconds),
      // for the table and the chart of the page; the promises are about coturn
      connections: options.report ? [1, 10, 50, 100, 500] : [1, 50, 500],
      withOthers: options.report,
      promised: [1, 50, 500]
    }))
  }

  // nothing is timed, so both are measured at the same time
  await board.part('idle connections', async () => {
    await Promise.all([idle(under, 'tcp', held), idle(under, 'tls', Number(options['tls-connections']))])
  })
  await board.part('many idle connections', async () => many(under, Number(options.many)))
  await board.part('new connections', async () => opens(under, Number(options['open-seconds'])))
  await board.part('burst', async () => burst(under, {
    clients: Number(options.burst),
    held,
    burstWorkers: Number(options['burst-workers'])
  }))
} finally {
  load.remove()
}

await board.finish()
