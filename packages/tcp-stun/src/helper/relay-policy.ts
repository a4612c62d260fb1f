import { Circuit } from '@multiformats/multiaddr-matcher'
import { toIPEndpoint } from 'libp2p-tcp-stun/net'
import { ReservationLimits } from './reservation-limits.ts'
import type { CircuitRelayService, ServerReservationStoreInit } from '@libp2p/circuit-relay-v2'
import type { Libp2p, PeerId } from '@libp2p/interface'

/**
 * The relay's default, in ms
 */
const RESERVATION_TTL = 2 * 60 * 60_000

export interface RelayPolicyInit {
  maxReservations: number
  maxReservationsPerAddress: number
}

/**
 * Decides which peers a relay serves, and frees what they leave behind
 */
export class RelayPolicy {
  private readonly init: RelayPolicyInit
  private readonly limits: ReservationLimits
  private node?: Libp2p<{ relay: CircuitRelayService }>

  constructor (init: RelayPolicyInit) {
    this.init = init
    this.limits = new ReservationLimits({ maxPerAddress: init.maxReservationsPerAddress, ttl: RESERVATION_TTL })
  }

  get reservations (): ServerReservationStoreInit {
    return { maxReservations: this.init.maxReservations, reservationTtl: RESERVATION_TTL }
  }

  watch (node: Libp2p<{ relay: CircuitRelayService }>): void {
    this.node = node
    node.addEventListener('peer:disconnect', ({ detail }) => { this.release(detail) })
  }

  /**
   * Whether the peer may have a reservation
   */
  admit (peer: PeerId): boolean {
    const { node } = this

    if (node == null) {
      return false
    }

    const { reservations } = node.services.relay

    // a full relay refuses by itself, with a status that tells the peer so
    if (reservations.size >= this.init.maxReservations && !reservations.has(peer)) {
      return true
    }

    const hosts = node.getConnections(peer)
      .filter(({ remoteAddr }) => !Circuit.exactMatch(remoteAddr))
      .flatMap(({ remoteAddr }) => toIPEndpoint(remoteAddr)?.host ?? [])

    return hosts.length > 0 && this.limits.admit(peer.toString(), hosts, performance.now())
  }

  /**
   * The relay itself keeps the reservation of a peer that has left until it
   * expires. Its timer must not delete a later reservation of that peer.
   */
  private release (peer: PeerId): void {
    const reservations = this.node?.services.relay.reservations
    this.limits.release(peer.toString())
    reservations?.get(peer)?.signal.clear()
    reservations?.delete(peer)
  }
}
