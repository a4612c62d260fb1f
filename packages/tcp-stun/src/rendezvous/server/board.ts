import { equals } from 'uint8arrays/equals'
import { ExpiryQueue } from './expiry-queue.ts'
import { OrderedList } from './ordered-list.ts'
import { Positions } from './positions.ts'
import type { Cookie } from './cookie.ts'
import type { BoardLimits } from './limits.ts'
import type { Registration } from './registration.ts'
import type { RegistrationKey, StoredRegistration } from '../store/store.ts'
import type { Clock } from 'libp2p-tcp-stun/mapping'

export interface BoardObserver {
  /**
   * A registration is new, or has another record
   */
  onAdd(registration: Registration): void

  /**
   * A registration lasts longer
   */
  onRefresh(registration: Registration): void

  onRemove(registration: Registration): void
}

/**
 * Why a registration was refused
 */
export type FullReason = 'board-full' | 'peer-full'

/**
 * Registrations by peer, by namespace and by age. Knows no network and no disk: what
 * changes is told to an observer, and it is told when to remove what has expired.
 */
export class Board {
  private readonly clock: Clock
  private readonly limits: BoardLimits
  private readonly observer: BoardObserver
  private readonly positions: Positions

  /**
   * The first registration of each peer; the others follow by `next`
   */
  private readonly peers = new Map<string, Registration>()
  private readonly namespaces = new Map<string, OrderedList>()
  private readonly all = new OrderedList()
  private readonly expiry = new ExpiryQueue()

  constructor (clock: Clock, limits: BoardLimits, observer: BoardObserver) {
    this.clock = clock
    this.limits = limits
    this.observer = observer
    this.positions = new Positions(() => clock.date())
  }

  /**
   * How many registrations there are
   */
  get size (): number {
    return this.all.size
  }

  get namespaceCount (): number {
    return this.namespaces.size
  }

  get peerCount (): number {
    return this.peers.size
  }

  has (peer: string): boolean {
    return this.peers.has(peer)
  }

  peerIds (): Iterable<string> {
    return this.peers.keys()
  }

  /**
   * The registrations of a peer
   */
  * ofPeer (peer: string): Generator<Registration> {
    for (let entry = this.peers.get(peer); entry != null; entry = entry.next) {
      yield entry
    }
  }

  find (key: RegistrationKey): Registration | undefined {
    for (const entry of this.ofPeer(key.peer)) {
      if (entry.namespace === key.namespace && entry.form === key.form) {
        return entry
      }
    }
  }

  /**
   * Register a peer for `ttl` seconds, or refresh its registration. The same record keeps
   * its place, so that nobody reads it again.
   *
   * @returns why it was refused, or undefined
   */
  register (key: RegistrationKey, record: Uint8Array<ArrayBuffer>, ttl: number, via: string): FullReason | undefined {
    const expires = this.clock.now() + ttl * 1_000
    const existing = this.find(key)

    if (existing != null && equals(existing.record, record)) {
      existing.expires = expires
      existing.via = via
      this.observer.onRefresh(existing)

      return
    }

    const full = this.isFull(key)

    if (full != null) {
      return full
    }

    if (existing != null) {
      this.detach(existing)
    }

    this.observer.onAdd(this.attach({ ...key, record, expires, via, position: this.positions.next() }))
  }

  /**
   * Take over what another helper has registered, or what was stored. Limits do not apply:
   * it was accepted before.
   */
  adopt (stored: StoredRegistration): Registration | undefined {
    const expires = this.clock.now() + stored.expires - this.clock.date()
    const existing = this.find(stored)

    if (existing != null && equals(existing.record, stored.record)) {
      existing.expires = Math.max(existing.expires, expires)
      existing.via = stored.via

      return
    }

    if (expires <= this.clock.now()) {
      return
    }

    if (existing != null) {
      this.detach(existing)
    }

    const { peer, namespace, form, record, via } = stored
    const position = this.positions.adopt(stored.position)

    return this.attach({ peer, namespace, form, record, via, expires, position })
  }

  /**
   * Remove registrations, and tell the observer
   */
  remove (registrations: Iterable<Registration>): void {
    for (const registration of [...registrations]) {
      this.detach(registration)
      this.observer.onRemove(registration)
    }
  }

  /**
   * Remove a registration that another helper has removed
   */
  drop (registration: Registration): void {
    this.detach(registration)
  }

  /**
   * Remove what has expired
   */
  expire (): void {
    this.remove(this.expiry.take(this.clock.now()))
  }

  /**
   * What there is after a position, oldest first
   */
  * read (namespace: string | undefined, position: number): Generator<Registration> {
    const list = namespace == null ? this.all : this.namespaces.get(namespace)
    const now = this.clock.now()

    for (const registration of list?.after(position) ?? []) {
      if (registration.expires > now) {
        yield registration
      }
    }
  }

  /**
   * How long a registration still lasts, in s
   */
  remaining ({ expires }: Registration): number {
    return Math.ceil((expires - this.clock.now()) / 1_000)
  }

  /**
   * Up to where a reader has read, by its cookie
   */
  resume (cookie: Cookie): number {
    return this.positions.resume(cookie)
  }

  /**
   * The cookie of a reader that has read up to a position, or everything
   */
  cookie (namespace: string | undefined, position = this.positions.latest): Cookie {
    return { position, run: this.positions.run, namespace }
  }

  /**
   * Why there is no place for a registration. One that is there already has a place.
   */
  isFull (key: RegistrationKey): FullReason | undefined {
    if (this.find(key) != null) {
      return
    }

    if (this.size >= this.limits.maxRegistrations) {
      return 'board-full'
    }

    let count = 0

    for (const _ of this.ofPeer(key.peer)) { // eslint-disable-line @typescript-eslint/no-unused-vars
      count++
    }

    return count >= this.limits.maxRegistrationsPerPeer ? 'peer-full' : undefined
  }

  private attach (init: Omit<Registration, 'removed' | 'next'>): Registration {
    const first = this.peers.get(init.peer)
    const list = this.namespaces.get(init.namespace) ?? new OrderedList()
    const registration: Registration = { ...init, removed: false, next: first }
    this.peers.set(init.peer, registration)
    this.namespaces.set(init.namespace, list)
    list.append(registration)
    this.all.append(registration)
    this.expiry.add(registration)

    return registration
  }

  private detach (registration: Registration): void {
    if (registration.removed) {
      return
    }

    registration.removed = true
    this.unlink(registration)
    this.all.forget()
    const list = this.namespaces.get(registration.namespace)
    list?.forget()

    if (list?.size === 0) {
      this.namespaces.delete(registration.namespace)
    }
  }

  private unlink (registration: Registration): void {
    const { peer, next } = registration
    let previous = this.peers.get(peer)

    if (previous === registration) {
      if (next == null) {
        this.peers.delete(peer)
      } else {
        this.peers.set(peer, next)
      }

      return
    }

    while (previous != null && previous.next !== registration) {
      previous = previous.next
    }

    if (previous != null) {
      previous.next = next
    }
  }
}
