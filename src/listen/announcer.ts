import { CONFIRM_INTERVAL, CONFIRM_TTL, VERDICT_INTERVAL } from '../constants.ts'
import { UNKNOWN, findVerdict, initialReachability } from './reachability.ts'
import type { Reachability, Verification } from './reachability.ts'
import type { TCPSTUNComponents } from '../components.ts'
import type { Announce } from '../index.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

const AUTONAT_PROTOCOLS = ['/libp2p/autonat/2/dial-back', '/libp2p/autonat/1.0.0']

export interface AnnouncerInit {
  clock: Clock
  log: Logger
  announce: Announce

  /**
   * The external address is another one
   */
  onAddress(): void

  /**
   * AutoNAT has judged the external address
   */
  onReachability(): void
}

/**
 * Tells the address manager which external address a listener has, and whether peers may
 * be told. libp2p reads a confirmed public address as "strangers can dial this": the DHT
 * becomes a server, relays offer themselves, and peers spend timeouts on it.
 */
export class Announcer {
  private readonly components: TCPSTUNComponents
  private readonly init: AnnouncerInit
  private address?: Multiaddr
  private known: Reachability = UNKNOWN

  /**
   * What the address manager said after our last call
   */
  private seen: Verification = { verified: false, expires: 0 }
  private timer?: Timer
  private hasSaidAssumption = false

  constructor (components: TCPSTUNComponents, init: AnnouncerInit) {
    this.components = components
    this.init = init
  }

  get external (): Multiaddr | undefined {
    return this.address
  }

  get reachability (): Reachability {
    return this.known
  }

  /**
   * Announce another external address in place of the one before. A local one is of this
   * machine: there is no NAT.
   */
  update (next: Multiaddr | undefined, isLocal: boolean): void {
    const previous = this.address

    if (next === previous || (next != null && previous?.equals(next) === true)) {
      return
    }

    // the new one first: failing to withdraw the old one below must not leave
    // the node with none
    this.address = next
    this.known = next == null ? UNKNOWN : initialReachability({ host: next.getComponents()[0].value ?? '', isLocal })
    this.seen = this.look()
    this.confirm()
    this.watch()

    if (previous != null) {
      this.components.addressManager?.removeObservedAddr(previous)
    }

    // peers hear of a change only by another `listening` event
    queueMicrotask(() => { this.init.onAddress() })
  }

  close (): void {
    this.timer?.clear()

    if (this.address != null) {
      this.components.addressManager?.removeObservedAddr(this.address)
      this.address = undefined
    }
  }

  /**
   * Whether to vouch for the address. AutoNAT vouches for it itself where its verdict is
   * good, and where there is no AutoNAT nobody would ever find out.
   */
  private mayConfirm (): boolean {
    switch (this.init.announce) {
      case 'always':
        return true
      case 'never':
        return false
      default:
        return (
          this.known.reachabilitySource === 'no-nat' || (this.known.reachability === 'unknown' && !this.hasAutoNAT())
        )
    }
  }

  private hasAutoNAT (): boolean {
    return this.components.registrar?.getProtocols().some(protocol => AUTONAT_PROTOCOLS.includes(protocol)) === true
  }

  private confirm (): void {
    const { addressManager } = this.components

    if (this.address == null || addressManager == null || !this.mayConfirm()) {
      return
    }

    if (this.init.announce === 'dialable' && this.known.reachability === 'unknown' && !this.hasSaidAssumption) {
      this.hasSaidAssumption = true
      this.init.log(
        'announcing %a as dialable: without an AutoNAT service nobody finds out whether it is',
        this.address
      )
    }

    addressManager.confirmObservedAddr(this.address, { type: 'transport', ttl: CONFIRM_TTL })
    this.seen = this.look()
  }

  /**
   * Look for verdicts of AutoNAT, and with `always` outlive them
   */
  private watch (): void {
    this.timer?.clear()

    if (this.address == null || this.components.addressManager == null) {
      return
    }

    const interval = this.init.announce === 'always' ? CONFIRM_INTERVAL : VERDICT_INTERVAL
    this.timer = this.init.clock.setTimeout(() => {
      const now = this.look()
      const verdict = findVerdict(this.seen, now)
      this.seen = now

      if (verdict != null && verdict.reachability !== this.known.reachability) {
        this.known = verdict
        this.init.onReachability()
      }

      if (this.init.announce === 'always' || !this.hasAutoNAT()) {
        this.confirm()
      }

      this.watch()
    }, interval)
  }

  private look (): Verification {
    const { address } = this
    const known = this.components.addressManager
      ?.getAddressesWithMetadata()
      .find(({ multiaddr }) => address != null && multiaddr.equals(address))

    return { verified: known?.verified ?? false, expires: known?.expires ?? 0 }
  }
}
