import { foreignListeners } from 'libp2p-tcp-stun/net'
import type { ProductionServer } from './types.ts'
import type { WatchOptions } from 'libp2p-tcp-stun/net'

/**
 * Log when another program takes connections from the ports that the workers of a
 * server share. A worker that starts may listen before this process knows, so look only
 * while as many serve as there should be.
 */
export function watchPorts (
  server: Pick<ProductionServer, 'addresses' | 'workers'>,
  count: number,
  options: WatchOptions
): void {
  const processes = (): number[] | undefined => server.workers.length === count ? server.workers : undefined

  server.addresses.forEach(({ host, port }) => {
    foreignListeners.watchProcesses({ host, port, processes }, options)
  })
}
