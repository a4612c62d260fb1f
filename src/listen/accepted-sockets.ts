import { pEvent } from 'p-event'
import type { ListenerMetrics } from './metrics.ts'
import type { ConnectionTable } from '../connection/connection-table.ts'
import type { AbortOptions } from '@libp2p/interface'
import type { Socket } from 'node:net'

export interface AcceptedSocketsInit {
  connections: ConnectionTable
  metrics: ListenerMetrics

  /** Whether the listener is not closed, so that its connections are counted */
  isOpen(): boolean

  /** A socket has closed, and the listener is open */
  onClose(): void
}

/**
 * The open sockets that one listener has accepted
 */
export class AcceptedSockets {
  private readonly init: AcceptedSocketsInit
  private readonly sockets = new Set<Socket>()

  constructor (init: AcceptedSocketsInit) {
    this.init = init
  }

  get size (): number {
    return this.sockets.size
  }

  add (socket: Socket): void {
    const { connections, metrics, isOpen, onClose } = this.init
    this.sockets.add(socket)
    connections.track(socket, 'inbound')
    metrics.onConnections(this.sockets.size)

    socket.once('close', () => {
      this.sockets.delete(socket)

      if (isOpen()) {
        metrics.onConnections(this.sockets.size)
        onClose()
      }
    })
  }

  async close (options?: AbortOptions): Promise<void> {
    await Promise.all([...this.sockets].map(async socket => {
      const closed = pEvent(socket, 'close', { ...options, rejectionEvents: [] })
      socket.destroy()
      await closed
    }))
  }
}
