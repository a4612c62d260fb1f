import { toMultiaddrConnection } from '../connection/multiaddr-connection.ts'
import { CONNECTION_LOG } from '../constants.ts'
import { resetSocket } from '../net/reset-socket.ts'
import type { DialerMetrics } from './metrics.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { TCPDialOptions } from '../index.ts'
import type { Role } from '../punch/role.ts'
import type { Connection, Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Socket } from 'node:net'

export interface OutboundUpgradeInit {
  connections: ConnectionTable
  metrics: DialerMetrics

  /**
   * In ms
   */
  inactivityTimeout?: number
}

/**
 * Makes a libp2p connection of a socket that was dialled
 */
export class OutboundUpgrade {
  private readonly init: OutboundUpgradeInit
  private readonly log: Logger

  constructor (components: TCPSTUNComponents, init: OutboundUpgradeInit) {
    this.init = init
    // one logger for all connections: creating one for each costs time and memory
    this.log = components.logger.forComponent(CONNECTION_LOG)
  }

  /**
   * The role is ours in a hole punch; without one we are the initiator
   */
  async upgrade (
    socket: Socket,
    ma: Multiaddr,
    role: Role | undefined,
    options: Pick<TCPDialOptions, 'signal' | 'upgrader' | 'onProgress'>
  ): Promise<Connection> {
    const { connections, metrics, inactivityTimeout } = this.init
    let maConn

    try {
      maConn = toMultiaddrConnection({
        socket,
        inactivityTimeout,
        metrics: metrics.events,
        // the stream muxer numbers its streams by this
        direction: role === 'responder' ? 'inbound' : 'outbound',
        remoteAddr: ma,
        log: this.log
      })
    } catch (err) {
      metrics.onError('outbound_to_connection')
      resetSocket(socket)
      throw err
    }

    connections.track(socket, 'outbound')

    try {
      this.log.trace('new outbound connection %a', ma)
      return await options.upgrader.upgradeOutbound(
        maConn,
        role == null ? options : { ...options, initiator: role === 'initiator' }
      )
    } catch (err: any) {
      metrics.onError('outbound_upgrade')
      this.log.trace('could not upgrade the outbound connection to %a - %e', ma, err)
      // by a reset: TIME_WAIT would make each later dial from the port fail
      maConn.abort(err)
      throw err
    }
  }
}
