import { toMultiaddrConnection } from '../connection/multiaddr-connection.ts'
import type { ListenerMetrics } from './metrics.ts'
import type { ConnectionInit } from '../connection/multiaddr-connection.ts'
import type { Logger, MultiaddrConnection, Upgrader } from '@libp2p/interface'
import type { AbstractMultiaddrConnectionInit } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

export interface InboundConnectionsInit {
  upgrader: Pick<Upgrader, 'upgradeInbound'>
  metrics: ListenerMetrics

  /** Of the listener, and of its connections */
  logs: { listener: Logger, connection: Logger }

  /** Ends upgrades that are under way */
  signal: AbortSignal
  inactivityTimeout?: number
  onUpgraded(): void
}

/**
 * What all connections of a listener have in common
 */
export type InboundConnectionInit =
  Pick<ConnectionInit, 'metrics' | 'direction' | 'log' | 'inactivityTimeout'> &
  Pick<AbstractMultiaddrConnectionInit, 'localAddr'>

/**
 * Where a listener listens
 */
export interface InboundAddress {
  listenAddr: Multiaddr

  /** The other end of a Unix socket has no address */
  isUnix: boolean
}

/**
 * From a socket that a listener has accepted to a libp2p connection
 */
export class InboundConnections {
  private readonly init: InboundConnectionsInit

  constructor (init: InboundConnectionsInit) {
    this.init = init
  }

  /**
   * Upgrade a TCP or Unix socket. `received` has been read of it already.
   */
  upgradeSocket (socket: Socket, { listenAddr, isUnix }: InboundAddress, received?: Uint8Array): void {
    this.upgrade(socket, () => toMultiaddrConnection({
      ...this.connectionInit(listenAddr),
      socket,
      received,
      remoteAddr: isUnix ? listenAddr : undefined
    }))
  }

  /**
   * Upgrade what `create` makes, which throws when the socket has closed meanwhile
   */
  upgrade (socket: Socket, create: () => MultiaddrConnection): void {
    const { upgrader, metrics, logs: { listener: log }, signal, onUpgraded } = this.init
    let maConn: MultiaddrConnection

    try {
      maConn = create()
    } catch (err: any) {
      log.trace('inbound connection failed - %e', err)
      metrics.onEvent('inbound_to_connection_error')
      socket.destroy()
      return
    }

    log.trace('new inbound connection %a', maConn.remoteAddr)

    upgrader.upgradeInbound(maConn, { signal })
      .then(() => {
        log.trace('inbound connection upgraded %a', maConn.remoteAddr)
        onUpgraded()
      })
      .catch(err => {
        log.trace('inbound connection upgrade failed - %e', err)
        metrics.onEvent('inbound_upgrade_error')
        maConn.abort(err)
      })
  }

  connectionInit (localAddr: Multiaddr): InboundConnectionInit {
    const { metrics, logs, inactivityTimeout } = this.init

    return { localAddr, inactivityTimeout, metrics: metrics.events, direction: 'inbound', log: logs.connection }
  }
}
