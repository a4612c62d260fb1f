import type { BindingEvent, RefuseEvent, ResetEvent, STUNServer } from 'libp2p-tcp-stun/server'

/**
 * The events of single clients. A worker forwards each of them only while somebody
 * listens: there may be thousands a second.
 */
export const CLIENT_EVENTS = ['binding', 'reset', 'refuse'] as const

export type ClientEvent = typeof CLIENT_EVENTS[number]

export type ClientEventDetail = BindingEvent | ResetEvent | RefuseEvent

/**
 * Events that may be on their way to the parent process. Further ones are dropped,
 * so that a flood does not fill our memory, but counted.
 */
const MAX_PENDING = 1_000

type ClientEvents = Pick<STUNServer, 'addEventListener' | 'removeEventListener'>

/**
 * Forwards the events of a server that somebody in another process listens to
 */
export class EventForwarder {
  private readonly server: ClientEvents

  /**
   * Calls `done` once the event has been sent
   */
  private readonly send: (name: ClientEvent, detail: ClientEventDetail, done: () => void) => void
  private pending = 0

  constructor (server: ClientEvents, send: EventForwarder['send']) {
    this.server = server
    this.send = send
  }

  /**
   * Forward these events, and no others
   */
  forward (names: ClientEvent[]): void {
    for (const name of CLIENT_EVENTS) {
      // it may be forwarded already
      this.server.removeEventListener(name, this.onEvent)

      if (names.includes(name)) {
        this.server.addEventListener(name, this.onEvent)
      }
    }
  }

  private readonly onEvent = ({ type, detail }: CustomEvent<ClientEventDetail>): void => {
    if (this.pending >= MAX_PENDING) {
      return
    }

    this.pending++
    this.send(type as ClientEvent, detail, () => { this.pending-- })
  }
}
