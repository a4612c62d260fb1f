import { keyOf } from '../store/store.ts'
import { StoreWriter } from './store-writer.ts'
import type { Board } from './board.ts'
import type { Registration } from './registration.ts'
import type { StoreState } from './types.ts'
import type { BoardStore, Change, StoredRegistration } from '../store/store.ts'
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
  private failing = false
  private loading?: Promise<void>

  constructor (init: BoardStorageInit) {
    this.init = init
    this.writer = new StoreWriter(init.store, init.clock, {
      onFailure: err => {
        this.failing = true
        init.onFailure(err)
      },
      onRecovery: () => {
        this.failing = false
        init.onRecovery()
      }
    })
  }

  get state (): StoreState {
    return this.failing ? 'failing' : 'working'
  }

  /**
   * @throws the store cannot be used at all
   */
  async open (): Promise<void> {
    const { store, onDamage } = this.init
    const { damage } = await store.open({
      onChange: change => { this.apply(change) },
      onGap: () => { this.reload() }
    })

    if (damage != null) {
      onDamage(damage)
    }

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

  delete ({ peer, namespace, form }: Registration): void {
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
      keys.add(keyOf(registration))
      this.adopt(registration)
    }

    return keys
  }

  /**
   * What others have changed was missed, and what we have changed may be
   */
  private reload (): void {
    this.loading ??= this.load()
      .then(keys => { this.reconcile(keys) })
      .catch(err => { this.init.onFailure(err) })
      .finally(() => { this.loading = undefined })
  }

  private reconcile (stored: Set<string>): void {
    const { board, via } = this.init

    for (const registration of [...board.read(undefined, 0)]) {
      if (!stored.has(keyOf(registration))) {
        if (registration.via === via) {
          this.put(registration)
        } else {
          board.drop(registration)
        }
      }
    }
  }

  private apply (change: Change): void {
    const { board, isConnected } = this.init

    if (change.type === 'put') {
      this.adopt(change.registration)
      return
    }

    const registration = board.find(change.key)

    if (registration == null) {
      return
    }

    if (isConnected(registration.peer)) {
      // the peer has left the other helper, not the network
      registration.via = this.init.via
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

  private toStored ({ peer, namespace, form, record, position, expires, via }: Registration): StoredRegistration {
    const { clock } = this.init

    return { peer, namespace, form, record, position, via, expires: Math.round(clock.date() + expires - clock.now()) }
  }
}
