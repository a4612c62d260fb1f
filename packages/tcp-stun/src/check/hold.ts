import { DEFAULT_KEEP_ALIVE_INTERVAL, requestInterval } from 'libp2p-tcp-stun/mapping'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import type { AskedServer } from './ask-servers.ts'
import type { Endpoint } from 'libp2p-tcp-stun/net'

/**
 * How long a server kept its connection
 */
export interface HoldResult {
  server: string
  endpoint: Endpoint

  /**
   * From the connection to its end, or to the end of the watch, in whole seconds
   */
  seconds: number

  /**
   * Why it ended, nothing when it lives still
   */
  ended?: string
}

/**
 * Keep the connections, ask again on each of them as the transport would, and
 * see which end. Returns when the time is over, the signal is aborted or none is
 * left.
 */
export async function holdConnections (asked: AskedServer[], ms: number, signal: AbortSignal, onEnd: (held: HoldResult) => void): Promise<HoldResult[]> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const live = new Set(asked)
  const ended: HoldResult[] = []

  const end = (server: AskedServer, reason: Error): void => {
    if (live.delete(server)) {
      const held = { ...describe(server), ended: reason.message }
      ended.push(held)
      onEnd(held)
    }

    if (live.size === 0) {
      resolve()
    }
  }

  for (const server of asked) {
    server.binding.addEventListener('close', ({ detail }) => { end(server, detail) }, { signal })

    if (server.binding.endReason != null) {
      end(server, server.binding.endReason)
    }
  }

  const timer = setTimeout(resolve, ms)
  const interval = setInterval(() => {
    for (const server of live) {
      // who is silent is gone
      server.binding.request({ signal }).catch(err => { end(server, err) })
    }
  }, requestInterval(DEFAULT_KEEP_ALIVE_INTERVAL))
  signal.addEventListener('abort', () => { resolve() })

  if (signal.aborted || live.size === 0) {
    resolve()
  }

  await promise
  clearTimeout(timer)
  clearInterval(interval)
  const held = [...live].map(describe)
  live.clear()

  return [...ended, ...held].sort((a, b) => formatEndpoint(a.endpoint).localeCompare(formatEndpoint(b.endpoint)))
}

function describe ({ server, endpoint, since }: AskedServer): HoldResult {
  return { server, endpoint, seconds: Math.round((performance.now() - since) / 1_000) }
}
