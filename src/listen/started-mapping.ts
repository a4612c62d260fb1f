import type { Announcer } from './announcer.ts'
import type { StatusSource } from './listener-statuses.ts'
import type { ListeningPort } from './listening-ports.ts'
import type { ListenerStatus } from '../index.ts'
import type { PublicMapping } from '../mapping/mapping.ts'

/**
 * A search that has begun. Its own class: a function would keep what else is known where it begins.
 */
export class StartedMapping implements StatusSource {
  readonly mapping: PublicMapping
  readonly port: ListeningPort

  /**
   * From when on a NAT admits nobody any more that an earlier process has contacted
   */
  readonly forgottenAt: number
  private readonly announcer: Announcer

  constructor (mapping: PublicMapping, port: ListeningPort, announcer: Announcer, forgottenAt: number) {
    this.mapping = mapping
    this.port = port
    this.announcer = announcer
    this.forgottenAt = forgottenAt
  }

  get status (): ListenerStatus {
    const { mapping: { status }, announcer: { reachability } } = this

    return 'external' in status ? { ...status, ...reachability } : status
  }
}
