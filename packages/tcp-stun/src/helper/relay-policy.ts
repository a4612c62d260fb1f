import { setTimeout as delay } from 'node:timers/promises'
import { Circuit } from '@multiformats/multiaddr-matcher'
import { toIPEndpoint } from 'libp2p-tcp-stun/multiaddr'
import { ReservationLimits } from './reservation-limits.ts'
import type { AllowList } from './allow-list.ts'
import type { HelperLimits } from './limits.ts'
import type { CircuitRelayServerInit, CircuitRelayService } from '@libp2p/circuit-relay-v2'
import type { Libp2p, PeerId } from '@libp2p/interface'

/**
 * The relay's default, in ms
 */
const RESERVATION_TTL = 2 * 60 * 60_000

export interface RelayPolicyInit {
  limits: HelperLimits

  /**
   * Whether an IP address is that of a load balancer, which many peers have in common
   */
  isProxy(host: string): boolean

  /**
   * The only peers that are served
   */
  allow?: AllowList
}

/**
 * By which the relay reaches the peer that is dialled, one for each relayed connection
 */
const STOP = '/libp2p/circuit/relay/0.2.0/stop'

/**
 * How often to look whether relayed connections have ended, in ms
 */
const DRAIN_INTERVAL = 100

/**
 * Why a peer got no reservation
 */
export type RelayRefusal = 'address' | 'peers' | 'stranger' | 'draining'

/**
 * Decides which peers a relay serves, and frees what they leave behind
 */
export class RelayPolicy {
  readonly refused: Record<RelayRefusal, number> = { address: 0, peers: 0, stranger: 0, draining: 0 }

  private readonly limits: HelperLimits
  private readonly perAddress: ReservationLimits
  private readonly isProxy: (host: string) => boolean
  private readonly allow?: AllowList
  private isDraining = false
  private node?: Libp2p<{ relay: CircuitRelayService }>

  constructor ({ limits, isProxy, allow }: RelayPolicyInit) {
    this.limits = limits
    this.allow = allow
    this.perAddress = new ReservationLimits({ maxPerAddress: limits.peersPerAddress, ttl: RESERVATION_TTL })
    this.isProxy = isProxy
  }

  /**
   * The options of the relay
   */
  get relay (): CircuitRelayServerInit {
    const { peers, relayBytes, relayDuration, circuitsPerPeer } = this.limits

    return {
      // each relayed connection keeps the stream that its peer asked for it on
      maxInboundHopStreams: circuitsPerPeer,
      reservations: {
        maxReservations: peers,
        reservationTtl: RESERVATION_TTL,
        defaultDataLimit: BigInt(relayBytes),
        defaultDurationLimit: relayDuration
      }
    }
  }

  watch (node: Libp2p<{ relay: CircuitRelayService }>): void {
    this.node = node
    node.addEventListener('peer:disconnect', ({ detail }) => { this.release(detail) })
  }

  /**
   * How many relayed connections there are
   */
  get circuits (): number {
    const streams = this.node?.getConnections().flatMap(({ streams }) => streams) ?? []

    return streams.filter(({ protocol }) => protocol === STOP).length
  }

  /**
   * Admit nobody from now on, and wait until the relayed connections have ended, at most
   * for some ms
   */
  async drain (deadline: number): Promise<void> {
    const end = performance.now() + deadline
    this.isDraining = true

    while (this.circuits > 0 && performance.now() < end) {
      await delay(DRAIN_INTERVAL)
    }
  }

  isMember (peer: PeerId): boolean {
    return this.allow?.has(peer) !== false
  }

  /**
   * Whether the peer may have a reservation
   */
  admit (peer: PeerId): boolean {
    const { node } = this

    if (node == null) {
      return false
    }

    if (this.isDraining || !this.isMember(peer)) {
      this.refused[this.isDraining ? 'draining' : 'stranger']++
      return false
    }

    const { reservations } = node.services.relay

    // a full relay refuses by itself, with a status that tells the peer so
    if (reservations.size >= this.limits.peers && !reservations.has(peer)) {
      this.refused.peers++
      return true
    }

    const hosts = node.getConnections(peer)
      .filter(({ remoteAddr }) => !Circuit.exactMatch(remoteAddr))
      .flatMap(({ remoteAddr }) => toIPEndpoint(remoteAddr)?.host ?? [])
    const clients = hosts.filter(host => !this.isProxy(host))

    if (hosts.length > 0 && this.perAddress.admit(peer.toString(), clients, performance.now())) {
      return true
    }

    this.refused.address++
    return false
  }

  /**
   * The relay itself keeps the reservation of a peer that has left until it
   * expires. Its timer must not delete a later reservation of that peer.
   */
  private release (peer: PeerId): void {
    const reservations = this.node?.services.relay.reservations
    this.perAddress.release(peer.toString())
    reservations?.get(peer)?.signal.clear()
    reservations?.delete(peer)
  }
}
