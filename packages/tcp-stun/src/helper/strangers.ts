import type { AllowList } from './allow-list.ts'
import type { Connection, Libp2p } from '@libp2p/interface'

/**
 * How long a stranger stays connected, in ms: long enough to be told why it is refused
 */
const PATIENCE = 10_000

/**
 * Disconnects the peers that are not on the list. A peer whose connection was denied
 * would only see it end; one that is connected gets PERMISSION_DENIED from the relay and
 * E_NOT_AUTHORIZED from the board.
 */
export class Strangers {
  private readonly allow: AllowList
  private readonly patience: number
  private readonly timers = new Map<Connection, NodeJS.Timeout>()
  private node?: Libp2p

  constructor (allow: AllowList, patience = PATIENCE) {
    this.allow = allow
    this.patience = patience
  }

  watch (node: Libp2p): void {
    this.node = node
    node.addEventListener('connection:open', ({ detail }) => { this.onOpen(detail) })
    node.addEventListener('connection:close', ({ detail }) => { this.forget(detail) })
  }

  /**
   * The list has changed: whoever was removed from it goes at once
   */
  expel (): void {
    const strangers = this.node?.getConnections().filter(({ remotePeer }) => !this.allow.has(remotePeer)) ?? []
    strangers.forEach(connection => { connection.abort(new Error('The peer is no longer allowed')) })
  }

  close (): void {
    this.timers.forEach(timer => { clearTimeout(timer) })
    this.timers.clear()
  }

  private onOpen (connection: Connection): void {
    if (this.allow.has(connection.remotePeer)) {
      return
    }

    this.timers.set(connection, setTimeout(() => {
      this.timers.delete(connection)

      // it may have been added to the list meanwhile
      if (!this.allow.has(connection.remotePeer)) {
        connection.abort(new Error('The peer is not allowed'))
      }
    }, this.patience))
  }

  private forget (connection: Connection): void {
    clearTimeout(this.timers.get(connection))
    this.timers.delete(connection)
  }
}
