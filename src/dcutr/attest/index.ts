import { FUNCTION, checkOptions } from '../../runtime/check-options.ts'
import { Attestor } from './attestor.ts'
import type { AttestorComponents, AttestorInit } from './attestor.ts'

/**
 * A service for relays. Peers ask it whether another peer is connected to the relay from
 * an address, before they send that address more packets than a stranger may cause: see
 * `trustedRelays` of `dcutr()`. It answers yes or no, and names no address.
 *
 * @example
 *
 * ```TypeScript
 * import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
 * import { identify } from '@libp2p/identify'
 * import { createLibp2p } from 'libp2p'
 * import { tcpSTUN } from 'libp2p-tcp-stun'
 * import { attestor } from 'libp2p-tcp-stun/dcutr'
 *
 * const relay = await createLibp2p({
 *   addresses: { listen: ['/ip4/0.0.0.0/tcp/4001'] },
 *   transports: [tcpSTUN({ stunServers: [] })],
 *   services: { identify: identify(), relay: circuitRelayServer(), attestor: attestor() }
 * })
 * ```
 *
 * @throws {InvalidParametersError} an option is unknown or makes no sense
 */
export function attestor (init: AttestorInit = {}): (components: AttestorComponents) => Attestor {
  checkOptions('attestor()', init, { isProxy: FUNCTION })

  return components => new Attestor(components, init)
}

export type { Attestor, AttestorComponents, AttestorInit }
