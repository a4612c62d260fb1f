/**
 * Direct Connection Upgrade through Relay (DCUtR): turns a relayed connection into a
 * direct one by punching a hole through the NATs of both peers. It takes the place of
 * `@libp2p/dcutr`, with the same protocol on the wire, and works over TCP from
 * JavaScript: `tcpSTUN()` dials from its listening port, and this service tells the
 * partner the public address of that port.
 *
 * @see https://github.com/libp2p/specs/blob/master/relay/DCUtR.md
 *
 * @example
 *
 * ```TypeScript
 * import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
 * import { identify } from '@libp2p/identify'
 * import { createLibp2p } from 'libp2p'
 * import { tcpSTUN } from 'libp2p-tcp-stun'
 * import { dcutr } from 'libp2p-tcp-stun/dcutr'
 *
 * const node = await createLibp2p({
 *   addresses: { listen: ['/ip4/0.0.0.0/tcp/4001', '/p2p-circuit'] },
 *   transports: [tcpSTUN(), circuitRelayTransport()],
 *   services: { identify: identify(), dcutr: dcutr() }
 * })
 *
 * node.services.dcutr.addEventListener('hole-punch:success', ({ detail }) => {
 *   console.info('direct connection with', detail.peer.toString(), 'after', detail.duration, 'ms')
 * })
 * ```
 *
 * @module libp2p-tcp-stun/dcutr
 */

import { validateDCUtROptions } from './options.ts'
import { DCUtR } from './service.ts'
import type { DCUtRComponents } from './components.ts'
import type { Connection, PeerId } from '@libp2p/interface'

export interface DCUtRInit {
  /**
   * How long one attempt may take, in ms
   *
   * @default 5_000
   */
  timeout?: number

  /**
   * How many attempts are made to upgrade a connection
   *
   * @default 3
   */
  retries?: number

  /**
   * How many relayed connections may be upgraded at the same time. Further ones stay
   * relayed.
   *
   * @default 16
   */
  maxUpgrades?: number

  /**
   * After all attempts with a peer have failed, how long no further one is started, in
   * ms. A router keeps the state of a failed attempt for about this long. A peer that asks
   * for attempts itself is answered 9 times in this time, until one succeeds.
   *
   * @default 120_000
   */
  backOff?: number

  /**
   * Also punch holes if the NAT of one peer maps every destination to another port, and
   * both peers use this service. It costs each of them up to 64 SYNs. With `wide` it may
   * cost 1 024, which a NAT that draws from all ports needs, but only with peers of a
   * private network, `trustedPeers`, and peers whose address one of `trustedRelays`
   * attests. See docs/hard-punch.md.
   *
   * @default true
   */
  hardPunch?: boolean | 'wide'

  /**
   * The ids of peers that are trusted to name only their own address. With
   * `hardPunch: 'wide'` they can make this node send 1 024 SYNs to it.
   *
   * @default []
   */
  trustedPeers?: string[]

  /**
   * The ids of relays that are trusted to say from which address a peer is connected to
   * them. With `hardPunch: 'wide'` such a peer can make this node send 1 024 SYNs to it. The
   * relay runs `attestor()`, as `tcp-stun helper` does, and this node is connected to it.
   *
   * @default []
   */
  trustedRelays?: string[]

  /**
   * How many DCUtR streams the peer may open on a relayed connection
   *
   * @default 1
   */
  maxInboundStreams?: number

  /**
   * How many DCUtR streams this node may open on a relayed connection
   *
   * @default 1
   */
  maxOutboundStreams?: number
}

/**
 * How the direct connection came about:
 *
 * - `dial`: one peer dialled the other, no hole had to be punched
 * - `punch`: both dialled at the same time
 * - `inbound`: the peer's connection was accepted first
 * - `hard`: one peer connected from many ports, and the other one probed many
 */
export type UpgradeMethod = 'dial' | 'punch' | 'inbound' | 'hard'

export interface HolePunchStart {
  peer: PeerId

  /**
   * The relayed connection
   */
  relayed: Connection

  /**
   * `initiator` asks for the upgrade: the peer that was dialled through the relay, B of the
   * specification. `responder` is asked: A
   */
  role: 'initiator' | 'responder'
}

export interface HolePunchSuccess extends HolePunchStart {
  /**
   * The direct connection
   */
  connection: Connection
  method: UpgradeMethod

  /**
   * Since the upgrade began, in ms
   */
  duration: number
}

export interface HolePunchFailure extends HolePunchStart {
  error: Error
  duration: number
}

export interface DCUtREvents {
  'hole-punch:start': CustomEvent<HolePunchStart>
  'hole-punch:success': CustomEvent<HolePunchSuccess>
  'hole-punch:failure': CustomEvent<HolePunchFailure>
}

/**
 * @throws {InvalidParametersError} an option is unknown or makes no sense; the message
 * names it, and what is allowed
 */
export function dcutr (init: DCUtRInit = {}): (components: DCUtRComponents) => DCUtR {
  const options = validateDCUtROptions(init)

  return (components) => new DCUtR(components, options)
}

export { attestor } from './attest/index.ts'
export { HardPunchError } from './hard/errors.ts'
export type { DCUtR }
export type { Attestor, AttestorComponents, AttestorInit } from './attest/index.ts'
export type { Reason as HardPunchReason } from './hard/errors.ts'
export type { DCUtRComponents, DirectDialer } from './components.ts'
