import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import { collectGarbage } from 'libp2p-tcp-stun/server'
import { CalmAfterBurst } from '../server/calm-after-burst.ts'
import type { Libp2p } from '@libp2p/interface'

/**
 * A handshake of libp2p leaves more than a hundred kilobytes of garbage
 */
const MIN_BURST = 100
const INTERVAL = 5_000

/**
 * Gives the memory back that thousands of handshakes leave behind, once it is calm again:
 * V8 does not do so while nothing happens, and half of the memory would be garbage
 *
 * @returns ends it
 */
export function collectAfterBursts (node: Libp2p): () => void {
  const burst = new CalmAfterBurst(MIN_BURST)
  let opened = 0
  exposeCollector()
  node.addEventListener('connection:open', () => { opened++ })
  const timer = setInterval(() => {
    if (burst.hasEnded(opened, performance.now())) {
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
