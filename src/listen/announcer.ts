import { CONFIRM_INTERVAL, CONFIRM_TTL, UNPROVEN_RETRY, VERDICT_INTERVAL } from '../constants.ts'
import { hasAutoNATClient } from './autonat.ts'
import { findVerification, knownAddresses } from './known-addresses.ts'
import { isForwardedElsewhere, isForwardedForGood } from './port-forward.ts'
import { NO_EVIDENCE, afterStranger, afterVerdict, findVerdict, initialEvidence } from './reachability.ts'
import type { Evidence, Reachability, Verification } from './reachability.ts'
import type { NodeAddress, TCPSTUNComponents } from '../components.ts'
import type { Announce } from '../index.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Logger } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * The nodes that were told what is assumed of their addresses
 */
const told = new WeakSet<TCPSTUNComponents>()

const UNSEEN: Verification = { verified: false, expires: 0 }

export interface AnnouncerInit {
  clock: Clock
  log: Logger
  announce: Announce

  /**
   * The external address is another one
   */
  onAddress(): void

  /**
   * AutoNAT has judged the external address, or a stranger has connected
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
  private evidence: Evidence = NO_EVIDENCE

  /**
   * What the address manager said after our last call
   */
  private seen = UNSEEN
  private timer?: Timer
  private isUnprovenTold = false

  constructor (components: TCPSTUNComponents, init: AnnouncerInit) {
    this.components = components
    this.init = init
  }

  get external (): Multiaddr | undefined {
    return this.address
  }

  get reachability (): Reachability {
    return this.evidence.known
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
    this.isUnprovenTold = false
    this.evidence = next == null
      ? NO_EVIDENCE
      : initialEvidence({ host: next.getComponents()[0].value ?? '', isLocal })
    this.seen = this.look() ?? UNSEEN
    this.confirm()
    this.watch()

    if (previous != null) {
      this.withdraw(previous)
    }

    // peers hear of a change only by another `listening` event
    queueMicrotask(() => { this.init.onAddress() })
  }

  /**
   * A stranger has connected to the listener
   *
   * @param isConclusive - nothing else than the external address can have led here
   */
  onStranger (isConclusive: boolean): void {
    if (this.address == null) {
      return
    }

    this.learn(afterStranger(this.evidence, isConclusive))
    this.confirm()
  }

  /**
   * Look for a verdict of AutoNAT. Call it before libp2p reads the address: then no peer
   * is told an address whose confirmation is not believed.
   */
  refresh (): void {
    const now = this.look()

    if (now == null) {
      return
    }

    const isDialable = findVerdict(this.seen, now)
    this.seen = now

    if (isDialable == null) {
      return
    }

    this.learn(afterVerdict(this.evidence, isDialable))

    if (isDialable && this.reachability.reachability !== 'public') {
      this.withdrawUnproven()
    }
  }

  close (): void {
    this.timer?.clear()

    if (this.address != null) {
      this.withdraw(this.address)
      this.address = undefined
    }
  }

  /**
   * Whether to vouch for the address. AutoNAT vouches for it itself where its verdict is
   * good, and where there is no AutoNAT nobody would ever find out. Then it is assumed to
   * be good, unless the router forwards another port.
   */
  private mayConfirm (): boolean {
    const { reachability, reachabilitySource } = this.reachability

    switch (this.init.announce) {
      case 'always':
        return true
      case 'never':
        return false
      default:
        return reachability === 'unknown'
          ? !hasAutoNATClient(this.components) && !this.isForwardedElsewhere()
          : reachability === 'public' && reachabilitySource !== 'autonat'
    }
  }

  private confirm (): void {
    const { addressManager } = this.components

    // to confirm it again would replace the confirmation for ever by one for some minutes
    if (this.address == null || addressManager == null || !this.mayConfirm() || this.isForwardedForGood(this.address)) {
      return
    }

    if (this.init.announce === 'dialable' && this.reachability.reachability === 'unknown') {
      this.tellAssumption(this.address)
    }

    // a stranger is one voice: AutoNAT need not wait until the confirmation has expired
    const isTestedToo = this.reachability.reachabilitySource === 'inbound' && hasAutoNATClient(this.components)
    const ttl = isTestedToo ? 0 : CONFIRM_TTL
    addressManager.confirmObservedAddr(this.address, { type: 'transport', ttl })
    this.seen = this.look() ?? this.seen
  }

  private tellAssumption (address: Multiaddr): void {
    if (told.has(this.components)) {
      return
    }

    told.add(this.components)
    this.init.log(
      'announcing %a although nobody has tested it: this node has no AutoNAT service. Behind a router that admits no ' +
        'strangers, peers waste time on dialling it. Add autoNATv2() to the services, or set announce to \'never\'',
      address
    )
  }

  /**
   * AutoNAT has confirmed the address, and no stranger has connected
   */
  private withdrawUnproven (): void {
    if (
      this.address == null ||
      this.init.announce === 'always' ||
      !hasAutoNATClient(this.components) ||
      this.isForwardedForGood(this.address)
    ) {
      return
    }

    // AutoNAT confirms it again every few minutes
    const log = this.isUnprovenTold ? this.init.log.trace : this.init.log
    log('AutoNAT has confirmed %a, but no host has connected that this port had not contacted', this.address)
    this.isUnprovenTold = true
    this.withdraw(this.address, UNPROVEN_RETRY)
    this.seen = this.look() ?? this.seen
  }

  /**
   * An address was assumed to be good, and now the router forwards another port
   */
  private withdrawAssumption (): void {
    const { address, seen, reachability: { reachability } } = this
    const isAssumed = this.init.announce === 'dialable' && reachability === 'unknown' && seen.verified

    if (address != null && isAssumed && this.isForwardedElsewhere()) {
      this.init.log('the router forwards another port to this node, not announcing %a any more', address)
      this.withdraw(address)
      this.seen = this.look() ?? this.seen
    }
  }

  /**
   * @param address - announce it no longer
   * @param ttl - when AutoNAT may test it again, in ms
   */
  private withdraw (address: Multiaddr, ttl?: number): void {
    if (!this.isForwardedForGood(address)) {
      this.components.addressManager?.removeObservedAddr(address, ttl == null ? undefined : { ttl })
    }
  }

  private isForwardedForGood (address: Multiaddr): boolean {
    return isForwardedForGood(this.addresses(), address, this.init.clock.date())
  }

  private isForwardedElsewhere (): boolean {
    return this.address != null && isForwardedElsewhere(this.addresses(), this.address)
  }

  private learn (evidence: Evidence): void {
    const before = this.reachability
    this.evidence = evidence

    if (evidence.known.reachability !== before.reachability) {
      this.init.log(
        'strangers %s dial %a, as %s shows',
        evidence.known.reachability === 'public' ? 'can' : 'cannot',
        this.address,
        evidence.known.reachabilitySource === 'inbound' ? 'an inbound connection' : 'AutoNAT'
      )
      // not before libp2p has read the address
      queueMicrotask(() => { this.init.onReachability() })
    }
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
      this.refresh()

      if (this.init.announce === 'always' || !hasAutoNATClient(this.components)) {
        this.confirm()
        this.withdrawAssumption()
      }

      this.watch()
    }, interval)
  }

  private look (): Verification | undefined {
    return this.address == null ? undefined : findVerification(this.components.addressManager, this.address)
  }

  private addresses (): NodeAddress[] {
    return knownAddresses(this.components.addressManager) ?? []
  }
}
