/**
 * A process with many listeners, each with a mapping of its own
 */
import { defaultLogger } from '@libp2p/logger'
import { multiaddr } from '@multiformats/multiaddr'
import { tcpSTUN } from '../../src/index.ts'
import { answer } from '../lib/child.ts'
import type { MappingStatus } from '../../src/index.ts'
import type { Listener } from '@libp2p/interface'

export interface ListenersQuestion {
  /**
   * The number of listeners
   */
  listeners?: number

  /**
   * How long to measure, in ms
   */
  duration?: number
  stunServers: string[]
  keepAliveInterval: number
}

/**
 * In bytes, and ms
 */
export interface ListenersAnswer {
  /**
   * The used JavaScript heap
   */
  heap: number

  /**
   * What its objects hold outside of it
   */
  external: number

  /**
   * The resident set size, which includes freed memory but not the kernel's sockets
   */
  resident: number

  /**
   * The CPU time of this process during `duration`
   */
  cpu: number
}

/**
 * How many start at once
 */
const BATCH = 20

const listeners: Listener[] = []
const mapped = new Set<string>()

answer(
  async ({
    listeners: wanted = listeners.length,
    duration = 0,
    stunServers,
    keepAliveInterval
  }: ListenersQuestion): Promise<ListenersAnswer> => {
    const transport = tcpSTUN({
      stunServers,
      keepAliveInterval,
      minReconnectInterval: 1,
      allowPrivateMapping: true,
      mappingTimeout: 20_000,
      onMappingChange
    })({ logger: defaultLogger() })

    while (listeners.length < wanted) {
      await Promise.all(
        Array.from({ length: Math.min(BATCH, wanted - listeners.length) }, async () => {
          const listener = transport.createListener({ upgrader: {} as any })
          listeners.push(listener)
          await listener.listen(multiaddr('/ip4/0.0.0.0/tcp/0'))
        })
      )
    }

    if (mapped.size !== wanted) {
      throw new Error(`${mapped.size} of ${wanted} listeners have a mapping`)
    }

    globalThis.gc?.()
    globalThis.gc?.()
    const start = process.cpuUsage()
    await new Promise(resolve => setTimeout(resolve, duration))
    const { user, system } = process.cpuUsage(start)
    globalThis.gc?.()
    const { heapUsed, external, rss } = process.memoryUsage()

    return { heap: heapUsed, external, resident: rss, cpu: (user + system) / 1_000 }
  }
)

function onMappingChange ({ state, listener }: MappingStatus): void {
  if (state === 'direct' || state === 'mapped') {
    mapped.add(listener.toString())
  } else {
    mapped.delete(listener.toString())
  }
}
