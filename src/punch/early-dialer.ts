import { pEvent } from 'p-event'
import { toIPEndpoint } from '../address/net-config.ts'
import { directConnection, peerOf } from '../connection/peers.ts'
import { resetSocket } from '../net/reset-socket.ts'
import { detectRole } from './role.ts'
import type { LingeringDials } from './lingering-dials.ts'
import type { Role } from './role.ts'
import type { IPEndpoint } from '../address/net-config.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ListeningPort } from '../listen/listening-ports.ts'
import type { AbortOptions, Connection, Logger, Upgrader } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

/**
 * DCUtR's one-sided dial, which an early dial is to meet, takes 5 s at most. Wait, in
 * ms, for that and one retransmission of its SYN.
 */
const CONNECT_TIMEOUT = 6_000

/**
 * How long the upgrade may take, in ms: as long as libp2p allows for an accepted
 * connection
 */
const UPGRADE_TIMEOUT = 10_000

/**
 * What an early dial needs from the dialer
 */
export interface EarlyDialerInit {
  lingering: LingeringDials

  /**
   * The listening port to dial an address from
   */
  sourcePort(ma: Multiaddr, remote: IPEndpoint, options: Required<AbortOptions>): Promise<ListeningPort | undefined>

  connect(local: ListeningPort, remote: IPEndpoint): Socket

  upgrade(
    socket: Socket,
    ma: Multiaddr,
    role: Role,
    options: Required<AbortOptions> & { upgrader: Upgrader }
  ): Promise<Connection>

  /**
   * The remote peer has answered
   */
  onConnect(): void
}

/**
 * Dials the addresses that a peer may be dialling us from, and lets the peer speak
 * first if it does. libp2p does not know of these dials, so a dial that fails lingers
 * for a later one of libp2p.
 */
export class EarlyDialer {
  private readonly components: TCPSTUNComponents
  private readonly init: EarlyDialerInit
  private readonly log: Logger
  private readonly upgrading = new Set<string>()

  constructor (components: TCPSTUNComponents, init: EarlyDialerInit) {
    this.components = components
    this.init = init
    this.log = components.logger.forComponent('libp2p:tcp-stun:hole-punch')
  }

  async dial (ma: Multiaddr, { signal }: Required<AbortOptions>): Promise<void> {
    const { upgrader } = this.components
    const start = performance.now()
    const socket = await this.connect(ma, signal)

    if (socket == null || upgrader == null) {
      return
    }

    const role = await detectRole(socket, { signal })
    const peer = peerOf(ma) ?? ''

    // a peer that waits for us to speak needs one connection, even if it has
    // accepted our dials at several addresses
    if (role === 'initiator' && (this.upgrading.has(peer) || directConnection(this.components, peer) != null)) {
      resetSocket(socket)
      return
    }

    this.init.onConnect()
    this.log('connected to %a as %s after %d ms', ma, role, Math.round(performance.now() - start))
    this.upgrading.add(peer)

    try {
      await this.init.upgrade(socket, ma, role, {
        upgrader,
        signal: AbortSignal.any([signal, AbortSignal.timeout(UPGRADE_TIMEOUT)])
      })
    } finally {
      this.upgrading.delete(peer)
    }
  }

  /**
   * @returns a connected socket, unless a dial of libp2p has adopted it
   */
  private async connect (ma: Multiaddr, signal: AbortSignal): Promise<Socket | undefined> {
    const { lingering } = this.init
    const remote = toIPEndpoint(ma)

    if (remote == null) {
      return
    }

    const local = await this.init.sourcePort(ma, remote, { signal })

    if (local == null || lingering.has(local, remote) || signal.aborted) {
      return
    }

    const socket = this.init.connect(local, remote)
    socket.on('error', () => {})
    lingering.add(socket, local, remote)
    await pEvent(socket, 'connect', {
      rejectionEvents: ['error', 'close'],
      signal: AbortSignal.any([signal, AbortSignal.timeout(CONNECT_TIMEOUT)])
    })

    return lingering.adopt(local, remote, socket)
  }
}
