import { DEFAULT_KEEP_ALIVE_INTERVAL, requestInterval } from 'libp2p-tcp-stun/mapping'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import type { AskedServer } from './ask-servers.ts'
import type { HoldResult } from './findings.ts'

/**
 * Keep the connections alive as the transport does, and see which of them end.
 * Returns when the time is over, the signal is aborted or no connection is left.
 */
export async function holdConnections (
  asked: AskedServer[],
  ms: number,
  signal: AbortSignal,
  onEnd: (held: HoldResult) => void
): Promise<HoldResult[]> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const open = new Set(asked)
  const ended: HoldResult[] = []

  const end = (server: AskedServer, reason: Error): void => {
    // an aborted request does not mean that the server ended the connection
    if (!signal.aborted && open.delete(server)) {
      const held = { ...describe(server), ended: reason.message }
      ended.push(held)
      onEnd(held)
    }

    if (open.size === 0) {
      resolve()
    }
  }

  for (const server of asked) {
    server.client.addEventListener('close', ({ detail }) => { end(server, detail) }, { signal })

    if (server.client.endReason != null) {
      end(server, server.client.endReason)
    }
  }

  const timer = setTimeout(resolve, ms)
  const interval = setInterval(() => {
    for (const server of open) {
      server.client.request({ signal }).catch(err => { end(server, err) })
    }
  }, requestInterval(DEFAULT_KEEP_ALIVE_INTERVAL))
  signal.addEventListener('abort', () => { resolve() }, { once: true })

  if (signal.aborted || open.size === 0) {
    resolve()
  }

  await promise
  clearTimeout(timer)
  clearInterval(interval)
  const held = [...open].map(describe)
  open.clear()

  return [...ended, ...held].sort((a, b) => formatEndpoint(a.endpoint).localeCompare(formatEndpoint(b.endpoint)))
}

function describe ({ server, endpoint, since }: AskedServer): HoldResult {
  return { server, endpoint, seconds: Math.round((performance.now() - since) / 1_000) }
}
