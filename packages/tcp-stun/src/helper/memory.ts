import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import { collectGarbage } from 'libp2p-tcp-stun/server'
import { CalmAfterBurst } from '../server/calm-after-burst.ts'
import type { Libp2p } from '@libp2p/interface'

/**
 * A handshake of libp2p leaves more than a hundred kilobytes of garbage. To collect it keeps
 * every peer waiting, the longer the more peers there are, so with many of them a burst is this
 * share of their connections at least.
 */
const MIN_BURST = 100
const BURST_SHARE = 0.25

/**
 * How long it must be calm, in ms
 */
const CALM = 4_000

/**
 * How often to look whether it is, in ms
 */
const INTERVAL = 1_000

/**
 * Gives the memory back that thousands of handshakes leave behind, once it is calm again:
 * V8 does not do so while nothing happens, and half of the memory would be garbage
 *
 * @returns ends it
 */
export function collectAfterBursts (node: Libp2p): () => void {
  const burst = new CalmAfterBurst(CALM)
  let opened = 0
  exposeCollector()
  node.addEventListener('connection:open', () => { opened++ })
  const timer = setInterval(() => {
    const minBurst = Math.max(MIN_BURST, BURST_SHARE * node.getConnections().length)

    if (burst.hasEnded(opened, performance.now(), minBurst)) {
      collectGarbage()
    }
  }, INTERVAL).unref()

  return () => { clearInterval(timer) }
}

/**
 * As if the process had been started with --expose-gc
 */
function exposeCollector (): void {
  if (globalThis.gc == null) {
    v8.setFlagsFromString('--expose-gc')
    globalThis.gc = runInNewContext('gc')
  }
}
