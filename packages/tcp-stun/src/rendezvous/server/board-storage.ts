import { keyOf } from '../store/store.ts'
import { StoreWriter } from './store-writer.ts'
import type { Board } from './board.ts'
import type { Registration } from './registration.ts'
import type { StoreState } from './types.ts'
import type { BoardStore, Change, RegistrationKey, StoredRegistration } from '../store/store.ts'
import type { Clock } from 'libp2p-tcp-stun/mapping'

export interface BoardStorageInit {
  store: BoardStore
  clock: Clock
  board: Board

  /**
   * The name of this helper
   */
  via: string

  /**
   * Whether a peer is connected to this helper
   */
  isConnected(peer: string): boolean

  /**
   * Another helper has added a registration
   */
  onAdd(registration: Registration): void
  onDamage(text: string): void
  onFailure(err: Error): void
  onRecovery(): void
}

/**
 * Keeps a board and its store equal: reads the store at the start, writes the changes of
 * this helper to it, and follows those of others
 */
export class BoardStorage {
  private readonly init: BoardStorageInit
  private readonly writer: StoreWriter
  private readonly failing = new Set<'connection' | 'writing'>()
  private loading?: Promise<void>

  constructor (init: BoardStorageInit) {
    this.init = init
    this.writer = new StoreWriter(init.store, init.clock, {
      onFailure: err => { this.onFailure('writing', err) },
      onRecovery: () => { this.onRecovery('writing') }
    })
  }

  get state (): StoreState {
    return this.failing.size > 0 ? 'failing' : 'working'
  }

  /**
   * @throws the store cannot be used at all
   */
  async open (): Promise<void> {
    const { store, onDamage } = this.init
    await store.open({
      onChange: change => { this.apply(change) },
      onGap: () => { this.reload() },
      onDamage,
      onConnection: err => {
        if (err == null) {
          this.onRecovery('connection')
          this.writer.retry()
        } else {
          this.onFailure('connection', err)
        }
      }
    })
    await this.load()
  }

  async close (): Promise<void> {
    await this.loading
    await this.writer.close()
    await this.init.store.close()
  }

  put (registration: Registration): void {
    this.writer.add({ type: 'put', registration: this.toStored(registration) })
  }

  delete ({ peer, namespace, form }: RegistrationKey): void {
    this.writer.add({ type: 'delete', key: { peer, namespace, form }, via: this.init.via })
  }

  /**
   * The peers of which this helper has accepted a registration
   */
  * ownPeers (): Generator<string> {
    const { board, via } = this.init

    for (const peer of board.peerIds()) {
      for (const registration of board.ofPeer(peer)) {
        if (registration.via === via) {
          yield peer
          break
        }
      }
    }
  }

  private async load (): Promise<Set<string>> {
    const stored: StoredRegistration[] = []
    const keys = new Set<string>()

    for await (const registration of this.init.store.load()) {
      stored.push(registration)
    }

    for (const registration of stored.sort((a, b) => a.position - b.position)) {
      const key = keyOf(registration)
      keys.add(key)

      if (registration.expires <= this.init.clock.date()) {
        this.delete(registration)
      } else if (!this.writer.has(key)) {
        this.adopt(registration)
      }
    }

    return keys
  }

  /**
   * What others have changed was missed, and what we have changed may be
   */
  private reload (): void {
    this.loading ??= this.load()
      .then(keys => { this.reconcile(keys) })
      .catch(err => { this.onFailure('connection', err) })
      .finally(() => { this.loading = undefined })
  }

  private reconcile (stored: Set<string>): void {
    const { board, via } = this.init

    for (const registration of [...board.read(undefined, 0)]) {
      const key = keyOf(registration)

      if (!stored.has(key) && !this.writer.has(key)) {
        if (registration.via === via) {
          this.put(registration)
        } else {
          board.drop(registration)
        }
      }
    }
  }

  private apply (change: Change): void {
    const { board, isConnected, via } = this.init

    if (change.type === 'put') {
      if (change.registration.via !== via) {
        this.adopt(change.registration)
      }

      return
    }

    if (change.via === via) {
      return
    }

    const registration = board.find(change.key)

    if (registration == null) {
      return
    }

    if (isConnected(registration.peer)) {
      // the peer has left the other helper, not the network
      registration.via = via
      this.put(registration)
    } else {
      board.drop(registration)
    }
  }

  private adopt (stored: StoredRegistration): void {
    const added = this.init.board.adopt(stored)

    if (added != null) {
      this.init.onAdd(added)
    }
  }

  private onFailure (part: 'connection' | 'writing', err: Error): void {
    const working = this.failing.size === 0
    this.failing.add(part)

    if (working) {
      this.init.onFailure(err)
    }
  }

  private onRecovery (part: 'connection' | 'writing'): void {
    if (this.failing.delete(part) && this.failing.size === 0) {
      this.init.onRecovery()
    }
  }

  private toStored ({ peer, namespace, form, record, position, expires, via }: Registration): StoredRegistration {
    const { clock } = this.init

    return { peer, namespace, form, record, position, via, expires: Math.round(clock.date() + expires - clock.now()) }
  }
}
