import { TypedEventEmitter } from 'main-event'
import type { EventHandler } from 'main-event'

/**
 * An event emitter that is told when listeners come and go
 */
export abstract class WatchedEventEmitter<Events extends Record<string, any>> extends TypedEventEmitter<Events> {
  addEventListener<K extends keyof Events> (
    type: K,
    listener: EventHandler<Events[K]> | null,
    options?: boolean | AddEventListenerOptions
  ): void {
    super.addEventListener(type, listener, options)
    this.onListenersChange()
  }

  removeEventListener<K extends keyof Events> (
    type: K,
    listener?: EventHandler<Events[K]> | null,
    options?: boolean | EventListenerOptions
  ): void {
    super.removeEventListener(type, listener, options)
    this.onListenersChange()
  }

  protected abstract onListenersChange (): void
}
