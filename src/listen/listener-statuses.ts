import { TypedEventEmitter } from 'main-event'
import type { ListenerStatus } from '../index.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

export interface NATStatusEvents {
  /**
   * A listener has a status for the first time, or another one than before
   */
  status: CustomEvent<ListenerStatus>

  /**
   * A listener has closed; the detail is its multiaddr
   */
  close: CustomEvent<Multiaddr>
}

/**
 * What has a status that changes
 */
export interface StatusSource {
  readonly status: ListenerStatus
}

/**
 * The statuses of all listeners of one transport
 */
export class ListenerStatuses extends TypedEventEmitter<NATStatusEvents> {
  private readonly sources = new Set<StatusSource>()

  get listeners (): ListenerStatus[] {
    return [...this.sources].map(({ status }) => status)
  }

  /**
   * The status is new, or another one than before
   */
  update (source: StatusSource): void {
    this.sources.add(source)
    this.safeDispatchEvent('status', { detail: source.status })
  }

  delete (source: StatusSource): void {
    if (this.sources.delete(source)) {
      this.safeDispatchEvent('close', { detail: source.status.listener })
    }
  }
}
