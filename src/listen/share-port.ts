import type { InboundConnections } from './inbound.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { AutoTLSCertificate } from '../websockets/auto-tls.ts'
import type { WebSocketsOptions } from '../websockets/options.ts'
import type { SharedPort } from '../websockets/shared-port.ts'
import type { Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

export interface SharePortInit {
  listenAddr: Multiaddr
  inbound: InboundConnections
  options?: boolean | WebSocketsOptions
  autoTLS: AutoTLSCertificate
  log: Logger

  /**
   * From now on the port takes TLS connections
   */
  onSecure(): void
}

/**
 * Let a listener take WebSocket connections too. What that needs is loaded only here.
 *
 * @throws {InvalidParametersError} the package `ws` is not installed, or a certificate
 * cannot be used
 */
export async function sharePort (
  { connectionProtector }: TCPSTUNComponents,
  { listenAddr, inbound, options, autoTLS, log, onSecure }: SharePortInit
): Promise<SharedPort> {
  const { createSharedPort } = await import('../websockets/shared-port.ts')

  return createSharedPort({
    options: typeof options === 'object' ? options : {},
    autoTLS,
    isPrivate: connectionProtector != null,
    log,
    connectionInit: inbound.connectionInit(listenAddr.encapsulate('/ws')),
    onLibp2p: (socket, received) => { inbound.upgradeSocket(socket, { listenAddr, isUnix: false }, received) },
    onWebSocket: (stream, create) => { inbound.upgrade(stream, create) },
    onSecure
  })
}
