import { multiaddr } from '@multiformats/multiaddr'
import { directConnection, isRelayed } from '../connection/peers.ts'
import { candidates } from './candidates.ts'
import { DCUTR_PROTOCOL } from './role.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { AbortOptions, Connection, IdentifyResult, Logger, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * How many early dials may be under way: relayed connections may open in numbers
 */
const MAX_DIALS = 8

/**
 * Dial an address of a peer, whose own dial may arrive at the same time
 */
export type EarlyDial = (ma: Multiaddr, options: Required<AbortOptions>) => Promise<void>

/**
 * Punches a hole before DCUtR does.
 *
 * After a relayed connection is made, B (the side that was dialled) dials A's public
 * addresses for up to 5 s before it starts to punch: in vain, when A's NAT filters.
 * So A does not wait for the punch. As soon as identify has reported B's addresses, A
 * dials those from its listening port. A's SYN opens A's NAT, B's dial is under way,
 * and the two sockets connect to each other. B is an ordinary initiator, so A
 * responds, whatever implementation B is.
 *
 * This only adds to what happens anyway: a dial that is not answered lingers for a
 * while, and the dial of the punch that follows adopts it.
 */
export class EarlyHolePunch {
  private readonly components: TCPSTUNComponents
  private readonly dial: EarlyDial
  private readonly log: Logger
  private readonly seen = new WeakSet<Connection>()
  private dials = 0
  private shutdown = new AbortController()

  constructor (components: TCPSTUNComponents, dial: EarlyDial) {
    this.components = components
    this.dial = dial
    this.log = components.logger.forComponent('libp2p:tcp-stun:hole-punch')
  }

  start (): void {
    this.shutdown = new AbortController()
    this.components.events?.addEventListener('peer:identify', this.onIdentify)
  }

  stop (): void {
    this.components.events?.removeEventListener('peer:identify', this.onIdentify)
    this.shutdown.abort()
  }

  private readonly onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const { connection, peerId, listenAddrs } = detail

    if (!this.isPunchExpected(detail)) {
      return
    }

    this.seen.add(connection)

    for (const address of candidates(listenAddrs)) {
      if (this.dials >= MAX_DIALS) {
        this.log('%d early dials are under way, leaving %a to DCUtR', this.dials, address)
        return
      }

      this.dials++
      this.log('dialling %a early', address)
      this.dialIfAllowed(multiaddr(`${address}/p2p/${peerId}`), peerId)
        .catch(err => { this.log('early dial of %a failed - %e', address, err) })
        .finally(() => { this.dials-- })
    }
  }

  /**
   * Whether the remote peer is B and dials us now. Once for each connection: a peer
   * may identify itself again.
   */
  private isPunchExpected ({ connection, peerId, protocols }: IdentifyResult): boolean {
    return isRelayed(connection) &&
      connection.direction === 'outbound' &&
      !this.seen.has(connection) &&
      directConnection(this.components, peerId.toString()) == null &&
      protocols.includes(DCUTR_PROTOCOL) &&
      this.components.registrar?.getProtocols().includes(DCUTR_PROTOCOL) === true
  }

  /**
   * libp2p asks the connection gater before its own dials only
   */
  private async dialIfAllowed (ma: Multiaddr, peerId: PeerId): Promise<void> {
    const { connectionGater: gater } = this.components

    if (await gater?.denyDialPeer?.(peerId) === true || await gater?.denyDialMultiaddr?.(ma) === true) {
      this.log('the connection gater denies %a', ma)
      return
    }

    await this.dial(ma, { signal: this.shutdown.signal })
  }
}
