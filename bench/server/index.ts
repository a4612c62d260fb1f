/**
 * Our server and others in turn, under the same load: `npm run bench:server`, with
 * `-- --check --report --rounds 15 --part NAME --json FILE` as wanted, and
 * `--seconds 0.3 --workers 2 --connections 20000 --many 100000 --tls-connections 4000
 * --open-seconds 10 --burst 50000 --burst-workers 16` with these defaults.
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
  seconds: { type: 'string', default: '0.3' },
  workers: { type: 'string', default: String(os.cpus().length) },
  connections: { type: 'string', default: '20000' },
  many: { type: 'string', default: '100000' },
  'tls-connections': { type: 'string', default: '4000' },
  'open-seconds': { type: 'string', default: '10' },
  burst: { type: 'string', default: '50000' },
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
      rounds: options.rounds ?? 15,
      seconds: Number(options.seconds),
      // for the chart those in between
      connections: options.report ? [1, 10, 50, 100, 500] : [1, 50, 500],
      promised: [1, 50, 500]
    }))
  }

  await board.part('idle connections', async () => idle(under, 'tcp', held))
  await board.part('idle connections over TLS', async () => idle(under, 'tls', Number(options['tls-connections'])))
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
