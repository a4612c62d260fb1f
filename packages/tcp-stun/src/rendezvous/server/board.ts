import { equals } from 'uint8arrays/equals'
import { NetworkCounts } from '../../limits/network-counts.ts'
import { ExpiryQueue } from './expiry-queue.ts'
import { OrderedList } from './ordered-list.ts'
import { PeerIndex } from './peer-index.ts'
import { Positions } from './positions.ts'
import type { Cookie } from './cookie.ts'
import type { BoardLimits } from './limits.ts'
import type { NewRegistration, Registration } from './registration.ts'
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
export type FullReason = 'board-full' | 'peer-full' | 'address-full'

/**
 * Of a registration that counts for no network
 */
const NO_NETWORKS: string[] = []

/**
 * Registrations by peer, by namespace and by age. Knows no network and no disk: what
 * changes is told to an observer, and it is told when to remove what has expired.
 */
export class Board {
  private readonly clock: Clock
  private readonly limits: BoardLimits
  private readonly observer: BoardObserver
  private readonly positions: Positions
  private readonly networks: NetworkCounts

  private readonly peers = new PeerIndex()
  private readonly namespaces = new Map<string, OrderedList>()
  private readonly all = new OrderedList()
  private readonly expiry = new ExpiryQueue()

  constructor (clock: Clock, limits: BoardLimits, observer: BoardObserver) {
    this.clock = clock
    this.limits = limits
    this.observer = observer
    this.positions = new Positions(() => clock.date())
    this.networks = new NetworkCounts(limits.maxRegistrationsPerAddress)
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
    return this.peers.ids()
  }

  /**
   * The registrations of a peer
   */
  ofPeer (peer: string): Iterable<Registration> {
    return this.peers.of(peer)
  }

  find (key: RegistrationKey): Registration | undefined {
    return this.peers.find(key)
  }

  /**
   * Register a peer for `ttl` seconds, or refresh its registration. The same record keeps
   * its place, so that nobody reads it again.
   *
   * @returns why it was refused, or undefined
   */
  register (
    key: RegistrationKey,
    { record, ttl, via, hosts }: NewRegistration
  ): FullReason | undefined {
    const expires = this.clock.now() + ttl * 1_000
    const existing = this.find(key)

    if (existing != null && equals(existing.record, record)) {
      existing.expires = expires
      existing.via = via
      this.recount(existing, hosts)
      this.observer.onRefresh(existing)

      return
    }

    const full = this.isFull(key, hosts)

    if (full != null) {
      return full
    }

    if (existing != null) {
      this.detach(existing)
    }

    this.observer.onAdd(this.attach({
      ...key, record, expires, via, networks: this.networks.add(hosts), position: this.positions.next()
    }))
  }

  /**
   * Take over what another helper has registered, or what was stored. Limits do not apply:
   * it was accepted before.
   */
  adopt (stored: StoredRegistration): Registration | undefined {
    // it was stored with the date, which may have been wrong then, or be wrong now
    const left = Math.min(stored.expires - this.clock.date(), this.limits.maxTTL * 1_000)
    const expires = this.clock.now() + left
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

    return this.attach({ peer, namespace, form, record, via, expires, networks: NO_NETWORKS, position })
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
  isFull (key: RegistrationKey, hosts: string[]): FullReason | undefined {
    if (this.find(key) != null) {
      return
    }

    if (this.size >= this.limits.maxRegistrations) {
      return 'board-full'
    }

    if (this.peers.count(key.peer) >= this.limits.maxRegistrationsPerPeer) {
      return 'peer-full'
    }

    return this.networks.hasRoom(hosts) ? undefined : 'address-full'
  }

  /**
   * A peer may come back from another network
   */
  private recount (registration: Registration, hosts: string[]): void {
    this.networks.remove(registration.networks)
    registration.networks = this.networks.add(hosts)
  }

  private attach (init: Omit<Registration, 'removed' | 'next'>): Registration {
    const list = this.namespaces.get(init.namespace) ?? new OrderedList()
    const registration: Registration = { ...init, removed: false, next: undefined }
    this.peers.add(registration)
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
    this.networks.remove(registration.networks)
    this.peers.remove(registration)
    this.all.forget()
    const list = this.namespaces.get(registration.namespace)
    list?.forget()

    if (list?.size === 0) {
      this.namespaces.delete(registration.namespace)
    }
  }
}
