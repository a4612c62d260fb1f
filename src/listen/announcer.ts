import { CONFIRM_INTERVAL, CONFIRM_TTL } from '../constants.ts'
import { externalOf } from '../mapping/status.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { MappingStatus } from '../mapping/status.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Multiaddr } from '@multiformats/multiaddr'

export interface AnnouncerInit {
  clock: Clock

  /**
   * Vouch for the address, do not wait for AutoNAT
   */
  autoConfirmAddress: boolean

  /**
   * The address to announce is another one
   */
  onChange(): void
}

/**
 * Tells the address manager which external address a listener has
 */
export class Announcer {
  private readonly components: TCPSTUNComponents
  private readonly init: AnnouncerInit
  private address?: Multiaddr
  private timer?: Timer

  constructor (components: TCPSTUNComponents, init: AnnouncerInit) {
    this.components = components
    this.init = init
  }

  /**
   * The address that is announced
   */
  get external (): Multiaddr | undefined {
    return this.address
  }

  update (status: MappingStatus): void {
    const previous = this.address
    const next = externalOf(status)

    if (next === previous || (next != null && previous?.equals(next) === true)) {
      return
    }

    // the new one first: failing to withdraw the old one below must not leave
    // the node with none
    this.address = next
    this.confirm()

    if (previous != null) {
      this.components.addressManager?.removeObservedAddr(previous)
    }

    // peers hear of a change only by another `listening` event
    queueMicrotask(() => { this.init.onChange() })
  }

  close (): void {
    this.timer?.clear()

    if (this.address != null) {
      this.components.addressManager?.removeObservedAddr(this.address)
      this.address = undefined
    }
  }

  /**
   * Until the address changes, again and again
   */
  private confirm (): void {
    this.timer?.clear()

    if (this.address == null || !this.init.autoConfirmAddress || this.components.addressManager == null) {
      return
    }

    this.components.addressManager.confirmObservedAddr(this.address, { type: 'transport', ttl: CONFIRM_TTL })
    this.timer = this.init.clock.setTimeout(() => { this.confirm() }, CONFIRM_INTERVAL)
  }
}
