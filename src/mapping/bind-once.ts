import { anySignal } from 'any-signal'
import { toExternalAddress } from '../stun/external-address.ts'
import { openClient } from '../stun/open-client.ts'
import { NoServerAvailableError } from './errors.ts'
import type { ConnectionsInit } from './connections-init.ts'
import type { PortSample } from './port-samples.ts'
import type { ServerPool } from './server-pool.ts'
import type { AbortOptions } from '@libp2p/interface'

export interface BindOnceOptions extends AbortOptions {
  /**
   * The SYN to the server has left. Connections that are begun now come after it.
   */
  onConnect?(): void
}

/**
 * `signal` ends the mapping
 */
type Host = Pick<
  ConnectionsInit,
  'local' | 'tls' | 'credential' | 'dns' | 'clock' | 'random' | 'allowPrivateMapping' | 'signal'
>

/**
 * Learn how the NAT maps a fresh local port: one Binding, whose connection is reset
 *
 * @throws {NoServerAvailableError} every server was connected to within `minReconnectInterval`
 * @throws {AbortError} the signal was aborted
 * @throws {NotStartedError} the mapping was closed
 * @throws {InvalidMappedAddressError} no peer could use the address
 * @throws what `openClient` throws
 */
export async function bindOnce (
  pool: ServerPool,
  { local, allowPrivateMapping, signal: lifetime, ...host }: Host,
  options: BindOnceOptions = {}
): Promise<PortSample> {
  const signal = anySignal([lifetime, options.signal])

  try {
    signal.throwIfAborted()
    const server = pool.take(host.clock.now(), { isUrgent: true, isBrief: true })

    if (server == null) {
      throw new NoServerAvailableError('Every STUN server was connected to a moment ago, see minReconnectInterval')
    }

    let at = host.clock.now()
    const { client, result } = await openClient(server.uri, {
      ...host,
      local: { host: local.host, port: 0 },
      tls: { servername: server.origin.host, ...host.tls },
      claim: () => {
        at = host.clock.now()

        // Node connects in the next tick
        if (options.onConnect != null) {
          setImmediate(options.onConnect)
        }

        return true
      },
      signal
    })
    client.close()
    const external = toExternalAddress(result.mapped, { allowPrivate: allowPrivateMapping, local: result.local })

    return { localPort: result.local.port, externalHost: external.host, externalPort: external.port, at }
  } finally {
    signal.clear()
  }
}
