import type { BindingEvent, RefuseEvent, ResetEvent, STUNServer } from 'libp2p-tcp-stun/server'

/**
 * What a worker tells of single clients, each only while somebody listens to it:
 * there may be thousands a second
 */
export const CLIENT_EVENTS = ['binding', 'reset', 'refuse'] as const

export type ClientEvent = typeof CLIENT_EVENTS[number]

export type ClientEventDetail = BindingEvent | ResetEvent | RefuseEvent

/**
 * So many may be under way to the process that started this one. Of a flood the
 * rest is left out: it is counted all the same, and must not fill our memory.
 */
const MAX_UNDER_WAY = 1_000

/**
 * Passes on those events of a server that are listened to elsewhere
 */
export class EventForwarder {
  private readonly server: STUNServer

  /**
   * Calls `done` when the event has gone out
   */
  private readonly pass: (name: ClientEvent, detail: ClientEventDetail, done: () => void) => void
  private underWay = 0

  constructor (server: STUNServer, pass: EventForwarder['pass']) {
    this.server = server
    this.pass = pass
  }

  /**
   * Pass on these, and no others
   */
  watch (names: ClientEvent[]): void {
    for (const name of CLIENT_EVENTS) {
      // it may be listened to already
      this.server.removeEventListener(name, this.onEvent)

      if (names.includes(name)) {
        this.server.addEventListener(name, this.onEvent)
      }
    }
  }

  private readonly onEvent = ({ type, detail }: CustomEvent<ClientEventDetail>): void => {
    if (this.underWay >= MAX_UNDER_WAY) {
      return
    }

    this.underWay++
    this.pass(type as ClientEvent, detail, () => { this.underWay-- })
  }
}
