import { toIPEndpoint } from 'libp2p-tcp-stun/multiaddr'
import { Admission } from 'libp2p-tcp-stun/server'
import { HandshakeQueue } from './handshake-queue.ts'
import { KnownHosts } from './known-hosts.ts'
import { Newcomers } from './newcomers.ts'
import type { HelperLimits } from './limits.ts'
import type { MultiaddrConnection } from '@libp2p/interface'

/**
 * How long a peer is connected until its home is known, in ms
 */
const KNOWN_AFTER = 60_000

/**
 * Between the handshakes of two unknown hosts, in ms. A handshake takes 7 to 10 ms, so strangers
 * that come and go get a fifth of the processor's time with it, and a member waits for one at most.
 */
const GAP = 50

/**
 * The same while most peers are new: after a restart they come back as fast as they can
 */
const RUSH_GAP = 15

/**
 * Why a connection was refused
 *
 * - `full`: there are as many connections as there may be
 * - `address`, `subnet`: those of its IP address or IPv6 network
 * - `rate`: too many new ones a second from its address or network
 * - `pending`: too many that are not upgraded yet
 * - `busy`: too many others wait for their handshakes
 */
export type ConnectionRefusal = 'full' | 'address' | 'subnet' | 'rate' | 'pending' | 'busy'

export interface GateInit {
  limits: HelperLimits

  /**
   * Whether an IP address is that of a load balancer, which many peers have in common
   */
  isProxy(host: string): boolean
}

/**
 * Decides which inbound connections are upgraded, and when. It comes before everything that
 * costs: a refused connection takes a twentieth of the time of a handshake.
 */
export class Gate {
  readonly refused: Record<ConnectionRefusal, number> = {
    full: 0, address: 0, subnet: 0, rate: 0, pending: 0, busy: 0
  }

  private readonly limits: HelperLimits
  private readonly isProxy: (host: string) => boolean
  private readonly admission: Admission

  /**
   * Which share of the handshakes each has
   */
  private readonly queues: { hosts: HandshakeQueue, proxies: HandshakeQueue }
  private readonly known: KnownHosts
  private readonly newcomers = new Newcomers<MultiaddrConnection>()
  private readonly pending = new Set<MultiaddrConnection>()
  private open = 0

  constructor ({ limits, isProxy }: GateInit) {
    this.limits = limits
    this.isProxy = isProxy
    this.known = new KnownHosts({ maxHomes: 2 * limits.peers, maxReturns: limits.peersPerAddress })
    this.admission = new Admission({
      maxConnectionsPerAddress: limits.connectionsPerAddress,
      maxConnectionsPerSubnet: limits.connectionsPerAddress,
      maxNewConnectionsPerSecond: limits.newConnectionsPerSecond
    })
    // the others have their handshake
    const maxWaiting = limits.pendingConnections / 2
    this.queues = {
      hosts: new HandshakeQueue({ gap: () => this.gapBeside(this.queues.proxies), maxWaiting }),
      proxies: new HandshakeQueue({ gap: () => this.gapBeside(this.queues.hosts), maxWaiting })
    }
  }

  /**
   * Whether a new connection is refused. Resolves when it is its turn.
   */
  async denies (connection: MultiaddrConnection): Promise<boolean> {
    const refusal = this.admit(connection, this.hostOf(connection)) ?? await this.awaitTurn(connection)

    if (refusal != null) {
      this.refused[refusal]++
    }

    return refusal != null
  }

  /**
   * The handshake of a connection has succeeded
   */
  upgraded (connection: MultiaddrConnection): void {
    this.pending.delete(connection)
    const host = this.hostOf(connection)
    const start = performance.now()
    this.newcomers.add(connection, start)
    connection.addEventListener('close', () => {
      this.newcomers.remove(connection)

      if (host != null && performance.now() - start >= KNOWN_AFTER) {
        this.known.add(host)
      }
    }, { once: true })
  }

  close (): void {
    this.queues.hosts.close()
    this.queues.proxies.close()
  }

  private admit (connection: MultiaddrConnection, host?: string): ConnectionRefusal | undefined {
    const refusal = this.open >= this.limits.connections
      ? 'full'
      : this.pending.size >= this.limits.pendingConnections
        ? 'pending'
        : host == null ? undefined : this.admission.admit(host, performance.now())

    if (refusal != null) {
      return refusal
    }

    this.open++
    this.pending.add(connection)
    connection.addEventListener('close', () => {
      this.open--
      this.pending.delete(connection)

      if (host != null) {
        this.admission.release(host)
      }
    }, { once: true })
  }

  /**
   * Peers that were here before go first. Those behind a load balancer cannot be told apart.
   */
  private async awaitTurn (connection: MultiaddrConnection): Promise<ConnectionRefusal | undefined> {
    const host = toIPEndpoint(connection.remoteAddr)?.host

    if (host == null) {
      return
    }

    const isProxy = this.isProxy(host)

    if (!isProxy && this.known.take(host)) {
      return
    }

    const gone = new AbortController()
    const leave = (): void => { gone.abort() }
    connection.addEventListener('close', leave, { once: true })

    try {
      return await this.queues[isProxy ? 'proxies' : 'hosts'].enter(host, gone.signal) ? undefined : 'busy'
    } finally {
      connection.removeEventListener('close', leave)
    }
  }

  /**
   * While both hosts and load balancers wait, each of the two gets half of the handshakes
   */
  private gapBeside (others: HandshakeQueue): number {
    const gap = this.newcomers.areMost(performance.now()) ? RUSH_GAP : GAP

    return others.size > 0 ? 2 * gap : gap
  }

  /**
   * The IP address of a peer, unless others have it too
   */
  private hostOf ({ remoteAddr }: MultiaddrConnection): string | undefined {
    const host = toIPEndpoint(remoteAddr)?.host

    return host == null || this.isProxy(host) ? undefined : host
  }
}
