/**
 * A plain TCP server with a public mapping, without libp2p
 */
import net from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { defaultLogger } from '@libp2p/logger'
import { pEvent } from 'p-event'
import { PublicMapping } from '../../../src/mapping/index.ts'
import { emit, handleCommands, readOptions } from '../../child/commands.ts'
import { describeMapping } from './describe-mapping.ts'
import { renewalMetrics } from './renewal-metrics.ts'
import type { PublicMappingInit } from '../../../src/mapping/index.ts'

export interface MappingProgramInit extends Omit<PublicMappingInit, 'listener'> {
  /**
   * @default '0.0.0.0'
   */
  host?: string

  /**
   * @default 4001
   */
  port?: number
}

// not exposed by default
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const { host = '0.0.0.0', port = 4001, ...init } = readOptions<MappingProgramInit>()
const sockets = new Set<net.Socket>()

interface Listening {
  mapping: PublicMapping
  close(): Promise<void>
}

/**
 * Listen, and create the mapping of the port
 */
async function listen (port: number): Promise<Listening> {
  const server = net.createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => { sockets.delete(socket) })
    socket.pipe(socket)
  })
  server.listen({ host, port, reusePort: true })
  await pEvent(server, 'listening')

  const mapping = new PublicMapping(
    { ...init, listener: server },
    { logger: defaultLogger(), metrics: renewalMetrics() }
  )

  return {
    mapping,
    close: async () => {
      await mapping.stop()
      sockets.forEach(socket => { socket.destroy() })
      server.close()
      await pEvent(server, 'close')
    }
  }
}

const listening = await listen(port)
const { mapping } = listening

for (const name of ['mapped', 'changed', 'lost'] as const) {
  mapping.addEventListener(name, () => { emit(name) })
}

mapping.addEventListener('status', ({ detail }) => { emit('mapping', describeMapping(detail)) })
await mapping.start()
emit('started')

handleCommands({
  // the time from the start to the first address, on a new port each time
  measure: async ({ runs }) => {
    const times: number[] = []

    for (let run = 0; run < runs; run++) {
      const { mapping, close } = await listen(0)
      const start = performance.now()
      await mapping.start()
      times.push(performance.now() - start)
      await close()
    }

    emit('measure', { times })
  },
  // the process's handles, timers and heap
  resources: () => {
    collectGarbage()
    collectGarbage()
    const counts: Record<string, number> = {}

    for (const name of process.getActiveResourcesInfo()) {
      counts[name] = (counts[name] ?? 0) + 1
    }

    emit('resources', { counts, heap: process.memoryUsage().heapUsed })
  }
}, async () => listening.close())
